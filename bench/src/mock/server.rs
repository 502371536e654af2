//! The mock's connections.

use std::rc::Rc;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_local, yield_now};

use super::wheel::Wheel;
use crate::chat::{self, Ask, Dialect, StreamPlan};
use crate::clock::{self, SECOND};
use crate::http1::{Connection, request_head};

/// Answers every connection that `listener` brings, for ever. Needs a local runtime: connections share one thread.
///
/// # Errors
/// The listener or the timer fails.
pub async fn serve(listener: TcpListener) -> Result<()> {
    let wheel = Rc::new(Wheel::new());
    let plain: Rc<[u8]> = chat::plain_answer().into();
    let turning = Rc::clone(&wheel);
    let drive = spawn_local(async move { turning.drive().await });
    let accept = async {
        loop {
            let (socket, _) = listener.accept().await?;
            let (wheel, plain) = (Rc::clone(&wheel), Rc::clone(&plain));
            // A client that goes away ends its own connection and nothing else.
            spawn_local(async move { answer_all(socket, &wheel, &plain).await });
        }
    };
    tokio::select! {
        driven = drive => Ok(driven??),
        accepted = accept => accepted,
    }
}

async fn answer_all(socket: TcpStream, wheel: &Wheel, plain: &[u8]) -> Result<()> {
    let mut connection = Connection::accepted(socket)?;
    let mut body = Vec::new();
    while let Some(head) = connection.head(request_head).await? {
        connection.whole(head.body, &mut body).await?;
        match serde_json::from_slice::<Ask<'_>>(&body) {
            Ok(ask) if ask.stream => {
                let plan = StreamPlan::from_model(&ask.model).unwrap_or(StreamPlan { chunks: 16, rate: 0 });
                let dialect = match head.is_messages {
                    true => Dialect::Anthropic,
                    false => Dialect::OpenAi,
                };
                stream(&mut connection, wheel, (plan, dialect), &ask).await?;
            }
            Ok(_) => connection.send(plain).await?,
            // What loki-logger pushes.
            Err(_) if body.starts_with(b"{\"streams\":") => connection.send(chat::NO_CONTENT).await?,
            Err(_) => connection.send(chat::BAD_REQUEST).await?,
        }
        if head.last {
            break;
        }
    }
    Ok(())
}

/// Writes each chunk alone. Without pause, every stream writes one chunk in turn.
async fn stream(
    connection: &mut Connection,
    wheel: &Wheel,
    (plan, dialect): (StreamPlan, Dialect),
    ask: &Ask<'_>,
) -> Result<()> {
    let end = dialect.stream_end(ask, plan);
    let mut chunk = dialect.chunk(&ask.model);
    let mut start = chat::STREAM_HEAD.to_vec();
    start.extend_from_slice(&dialect.stream_start(&ask.model));
    connection.send(&start).await?;
    let start = clock::now();
    for number in 0..u64::from(plan.chunks) {
        if number > 0 {
            match SECOND.checked_div(u64::from(plan.rate)) {
                Some(pause) => wheel.until(start + number * pause).await,
                None => yield_now().await,
            }
        }
        connection.send(chunk.stamped(clock::now())).await?;
    }
    connection.send(&end).await?;
    Ok(())
}
