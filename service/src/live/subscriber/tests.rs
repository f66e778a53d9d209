use super::*;
use crate::live::id_cursor::IdCursor;

fn subscriber() -> Subscriber {
    Subscriber::new(1, 1, Instant::now())
}

fn cursor(reached: u64) -> StreamCursor {
    let messages = IdCursor {
        reached,
        ..IdCursor::default()
    };
    StreamCursor::new(messages, IdCursor::default())
}

async fn reached(subscriber: &Subscriber) -> Option<u64> {
    let cursor = subscriber.activation().await;
    cursor.map(|cursor| cursor.messages.reached)
}

#[rocket::async_test]
async fn a_probe_does_not_keep_a_stream_from_beginning() {
    let subscriber = subscriber();
    subscriber.probe();
    subscriber.activate(&cursor(7));
    assert_eq!(reached(&subscriber).await, Some(7));
}

#[rocket::async_test]
async fn a_stream_whose_queue_overflowed_before_it_began_is_activated_again() {
    let subscriber = subscriber();
    subscriber.activate(&cursor(7));
    subscriber.drop_buffers();
    let activate_again = async {
        while !subscriber.is_active() {
            rocket::tokio::task::yield_now().await;
            subscriber.activate(&cursor(9));
        }
    };
    let (reached, ()) = rocket::tokio::join!(reached(&subscriber), activate_again);
    assert_eq!(reached, Some(9));
}

#[rocket::async_test]
async fn a_stream_begins_where_the_database_was_restored_to() {
    let subscriber = subscriber();
    subscriber.activate(&cursor(7));
    subscriber.reset(&cursor(3));
    assert_eq!(reached(&subscriber).await, Some(3));
}

#[rocket::async_test]
async fn no_stream_begins_for_a_revoked_token() {
    let subscriber = subscriber();
    subscriber.activate(&cursor(7));
    subscriber.close();
    assert_eq!(reached(&subscriber).await, None);
}
