use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::answer::AnswerFormat;

const MINUTE: Duration = Duration::from_secs(60);

fn answer(body: &'static str) -> Answer {
    sized(Bytes::from_static(body.as_bytes()))
}

fn sized(body: Bytes) -> Answer {
    Answer {
        body,
        created_at: 1,
        format: AnswerFormat::Json,
    }
}

fn direction(components: &[f32]) -> Direction {
    Direction::of(components.to_vec()).unwrap()
}

#[test]
fn the_last_answer_of_a_key_counts() {
    let (answers, now) = (Answers::new(10_000), Instant::now());
    answers.put("a", answer("1"), MINUTE, now);
    answers.put("a", answer("2"), MINUTE, now);
    assert_eq!(answers.get("a", now), Some(answer("2")));
    assert_eq!(answers.get("b", now), None);
    assert_eq!(answers.get("a", now + MINUTE), None);
    assert_eq!(answers.get("a", now), None, "what has expired is gone");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let now = Instant::now();
    let answers = Answers::new(3 * (OVERHEAD + 101));
    let body = Bytes::from(vec![b'x'; 100]);
    for key in ["a", "b", "c"] {
        answers.put(key, sized(body.clone()), MINUTE, now);
    }
    assert!(answers.get("a", now).is_some());
    answers.put("d", sized(body), MINUTE, now);
    let kept = ["a", "b", "c", "d"].map(|key| answers.get(key, now).is_some());
    assert_eq!(kept, [true, false, true, true]);
    answers.put("e", sized(Bytes::from(vec![b'x'; 10_000])), MINUTE, now);
    assert!(answers.get("e", now).is_none(), "larger than the store");
    assert!(answers.get("d", now).is_some(), "and nothing makes room for it");
}

#[test]
fn the_closest_of_a_partition_is_found() {
    let (answers, now) = (Answers::new(100_000), Instant::now());
    let (east, north) = (direction(&[1.0, 0.0]), direction(&[0.0, 1.0]));
    answers.put_near("p", &east, answer("east"), MINUTE, now);
    answers.put_near("p", &north, answer("north"), MINUTE, now);
    answers.put_near("q", &direction(&[1.0, 1.0]), answer("other"), MINUTE, now);
    let (cosine, found) = answers.nearest("p", &direction(&[3.0, 4.0]), now).unwrap();
    assert_eq!(found, answer("north"));
    assert!((cosine - 0.8).abs() < 1e-6);
    assert!(answers.nearest("p", &direction(&[1.0, 0.0, 0.0]), now).is_none());
    assert!(answers.nearest("r", &east, now).is_none());
    answers.put_near("p", &north, answer("later"), 2 * MINUTE, now);
    assert_eq!(answers.nearest("p", &north, now).unwrap().1, answer("later"));
    assert_eq!(
        answers.nearest("p", &east, now + MINUTE).unwrap().1,
        answer("later")
    );
    assert!(answers.nearest("p", &east, now + 2 * MINUTE).is_none());
    assert!(!answers.lock().by_partition.contains_key("p"));
}

#[test]
fn a_partition_does_not_grow_without_end() {
    let (answers, now) = (Answers::new(100 << 20), Instant::now());
    for n in 0..PARTITION_MAX + 5 {
        answers.put_near("p", &direction(&[n as f32, 1.0]), answer("x"), MINUTE, now);
    }
    let inner = answers.lock();
    assert_eq!(inner.by_partition["p"].len(), PARTITION_MAX);
    assert_eq!(inner.slots.len(), PARTITION_MAX);
}

proptest! {
    #[test]
    fn the_books_balance(steps in prop::collection::vec((0..4_u8, 0..6_u8, 0..400_usize), 1..80)) {
        let max = 3000;
        let (answers, start) = (Answers::new(max), Instant::now());
        for (index, (step, key, size)) in steps.into_iter().enumerate() {
            let now = start + Duration::from_secs(index as u64 * 5);
            let (name, at) = (key.to_string(), direction(&[f32::from(key) + 1.0, 2.0]));
            let body = sized(Bytes::from(vec![b'x'; size]));
            match step {
                0 => answers.put(&name, body, MINUTE, now),
                1 => answers.put_near("p", &at, body, MINUTE, now),
                2 => drop(answers.get(&name, now)),
                _ => drop(answers.nearest("p", &at, now)),
            }
            let inner = answers.lock();
            prop_assert!(inner.bytes <= max);
            prop_assert_eq!(inner.bytes, inner.slots.values().map(|slot| slot.bytes).sum::<usize>());
            let near: usize = inner.by_partition.values().map(VecDeque::len).sum();
            prop_assert_eq!(inner.slots.len(), inner.by_key.len() + near);
        }
    }
}
