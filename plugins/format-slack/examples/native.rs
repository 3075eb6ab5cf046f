//! The formatter without a sandbox, for `cargo xtask bench plugin`: reads an event's data from
//! standard input, prints the median time of a call in microseconds.

use std::{
    io::{Read, stdin},
    time::{Duration, Instant},
};

use format_slack::Slack;
use overture_plugin::formatter::{Context, Event, Formatter};

const CALLS: usize = 50_000;

fn main() -> std::io::Result<()> {
    let mut data = String::new();
    stdin().read_to_string(&mut data)?;
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|_| {
            // As a guest gets them: texts of its own.
            let (event, context) = (event(&data), context());
            let start = Instant::now();
            let output = Slack::format(event, context).expect("the bench's event is fine");
            std::hint::black_box(output);
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{}", times[CALLS / 2].as_secs_f64() * 1e6);
    Ok(())
}

fn event(data: &str) -> Event {
    Event {
        id: "evt_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
        kind: "reply.received".into(),
        occurred_at: 1_772_442_000_000,
        workspace_id: "wsp_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
        data: data.into(),
    }
}

fn context() -> Context {
    Context {
        settings: "{}".into(),
        public_url: "https://overture.example.com".into(),
        workspace_name: "Example".into(),
    }
}
