use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use overture_domain::{WorkspaceId, events::EventPosition};
use overture_engine::Env;
use overture_store::events::{self, Placed};

use super::{Cursor, EventOut};
use crate::{Caller, Error};

/// How often the database is asked, on the real clock.
const EVERY: Duration = Duration::from_millis(500);
/// Events asked for at a time.
const BATCH: i64 = 100;

/// Events as they happen, as server-sent events: `id` is a cursor, `event` the type, `data` the
/// event. A client that comes back with `Last-Event-ID` misses nothing; without it the stream
/// begins now.
#[utoipa::path(
    get, path = "/events/stream", tag = "Events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen")),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub(super) async fn stream(
    State(env): State<Env>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let after = match headers.get("last-event-id").map(|value| value.to_str()) {
        Some(Ok(text)) => {
            text.parse::<Cursor>()
                .map_err(|error| Error::field("Last-Event-ID", "invalid", error))?
                .0
        }
        _ => events::newest(&mut env.db.reader()).await?,
    };
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let reader = Follower {
        env,
        ws,
        after,
        waiting: VecDeque::new(),
        every,
    };
    let stream = stream::unfold(reader, |mut reader| async move {
        let placed = reader.next().await;
        Some((Ok(event(placed)), reader))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn event(placed: Placed) -> Event {
    let (id, kind) = (Cursor(placed.position).to_string(), placed.event.kind);
    let data = serde_json::to_string(&EventOut::from(placed)).unwrap_or_default();
    Event::default().id(id).event(kind.name()).data(data)
}

struct Follower {
    env: Env,
    ws: WorkspaceId,
    after: EventPosition,
    waiting: VecDeque<Placed>,
    every: tokio::time::Interval,
}

impl Follower {
    async fn next(&mut self) -> Placed {
        loop {
            if let Some(placed) = self.waiting.pop_front() {
                self.after = placed.position;
                return placed;
            }
            self.every.tick().await;
            let mut on = self.env.db.reader();
            match events::list(
                &mut on,
                self.ws,
                &events::Filter::default(),
                self.after,
                BATCH,
            )
            .await
            {
                Ok(batch) => self.waiting.extend(batch),
                Err(error) => tracing::warn!(%error, "the event stream waits for the database"),
            }
        }
    }
}
