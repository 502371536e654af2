//! What scripts and commands return.

use crate::error::RedisError;

/// The result of a script or command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// Text or bytes.
    Bytes(Vec<u8>),
    /// A table.
    List(Vec<Reply>),
}

impl Reply {
    /// The numbers of a table that has exactly `N` of them.
    ///
    /// # Errors
    /// [`RedisError::Reply`] when it is anything else.
    pub fn integers<const N: usize>(self) -> Result<[i64; N], RedisError> {
        let Self::List(items) = self else {
            return Err(RedisError::Reply);
        };
        let numbers: Option<Vec<i64>> = items
            .into_iter()
            .map(|item| match item {
                Self::Int(number) => Some(number),
                _ => None,
            })
            .collect();
        numbers
            .and_then(|numbers| numbers.try_into().ok())
            .ok_or(RedisError::Reply)
    }
}

impl TryFrom<redis::Value> for Reply {
    type Error = RedisError;

    fn try_from(value: redis::Value) -> Result<Self, RedisError> {
        Ok(match value {
            redis::Value::Nil => Self::Nil,
            redis::Value::Int(number) => Self::Int(number),
            redis::Value::BulkString(bytes) => Self::Bytes(bytes),
            redis::Value::SimpleString(text) => Self::Bytes(text.into_bytes()),
            redis::Value::Okay => Self::Bytes(b"OK".to_vec()),
            redis::Value::Array(items) => {
                Self::List(items.into_iter().map(Self::try_from).collect::<Result<_, _>>()?)
            }
            _ => return Err(RedisError::Reply),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_all_or_nothing() {
        let list = |items: &[i64]| Reply::List(items.iter().map(|n| Reply::Int(*n)).collect());
        assert_eq!(list(&[1, 2]).integers(), Ok([1, 2]));
        assert_eq!(list(&[1, 2]).integers::<3>(), Err(RedisError::Reply));
        assert_eq!(
            Reply::List(vec![Reply::Nil]).integers::<1>(),
            Err(RedisError::Reply)
        );
        assert_eq!(Reply::Int(1).integers::<1>(), Err(RedisError::Reply));
    }
}
