//! Every metric by its name. What is not here is not shown: a test compares.

use std::fmt::Write as _;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only, since the process began.
    Counter,
    /// How things are now.
    Gauge,
    /// How often something took how long, in seconds.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric as the documentation has it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// Each has a bounded number of values.
    pub labels: &'static str,
    pub help: &'static str,
}

const fn metric(
    kind: Kind,
    name: &'static str,
    labels: &'static str,
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

use Kind::{Counter, Gauge, Histogram};

/// All of them.
pub const LIST: &[Metric] = &[
    metric(
        Gauge,
        "overture_build_info",
        "version",
        "1, with the program's version",
    ),
    metric(
        Counter,
        "overture_sends_total",
        "channel, outcome",
        "sends that ended: `sent`, `ambiguous`, or why nothing went out",
    ),
    metric(
        Counter,
        "overture_caps_reached_total",
        "cap",
        "how often a send used up a cap (RULES.md has their names)",
    ),
    metric(
        Counter,
        "overture_steps_forgotten_total",
        "",
        "steps that were due and that nobody looked at, found by the sweep (SCH-11)",
    ),
    metric(
        Counter,
        "overture_mailbox_reads_total",
        "outcome",
        "mailboxes read: `read` or `failed`",
    ),
    metric(
        Counter,
        "overture_webhook_deliveries_total",
        "outcome",
        "deliveries that ended or wait again: `delivered`, `retried`, `held`, `dead`",
    ),
    metric(
        Histogram,
        "overture_webhook_request_seconds",
        "",
        "requests to endpoints of webhooks",
    ),
    metric(
        Counter,
        "overture_http_requests_total",
        "method, route, status",
        "requests to this server; `route` as in the API's description, `none` for what there is not",
    ),
    metric(
        Histogram,
        "overture_http_request_seconds",
        "route",
        "requests to this server, up to the head of the answer",
    ),
    metric(
        Counter,
        "overture_part_ticks_total",
        "part, outcome",
        "turns of the engine's parts: `ok` or `failed`",
    ),
    metric(
        Histogram,
        "overture_part_tick_seconds",
        "part",
        "turns of the engine's parts",
    ),
    metric(
        Histogram,
        "overture_part_lag_seconds",
        "part",
        "how late a turn began after its moment",
    ),
    metric(
        Gauge,
        "overture_work_under_way",
        "part",
        "mails, deliveries and mailboxes in hands now",
    ),
    metric(
        Gauge,
        "overture_jobs_due",
        "kind",
        "jobs whose time has come and that nobody has taken; counted up to 10,000",
    ),
    metric(
        Gauge,
        "overture_jobs_oldest_due_seconds",
        "kind",
        "how long the first of them has waited",
    ),
    metric(
        Gauge,
        "overture_jobs_leased",
        "kind",
        "jobs in hands, of all processes",
    ),
    metric(
        Gauge,
        "overture_lanes",
        "",
        "lanes in which steps wait for room",
    ),
    metric(
        Gauge,
        "overture_ambiguous_sends",
        "",
        "sends that may have gone out; evidence or a person decides",
    ),
    metric(
        Gauge,
        "overture_deliveries_waiting",
        "",
        "deliveries of webhooks that wait; counted up to 10,000",
    ),
    metric(Gauge, "overture_accounts", "status", "sending accounts"),
    metric(Gauge, "overture_campaigns", "status", "campaigns"),
    metric(
        Gauge,
        "overture_alerts_open",
        "code",
        "what an admin must see to",
    ),
    metric(
        Counter,
        "overture_plugin_calls_total",
        "plugin",
        "calls that ran, however they ended",
    ),
    metric(
        Counter,
        "overture_plugin_faults_total",
        "plugin",
        "calls that ended by the plugin's fault: traps, limits, bad answers",
    ),
    metric(
        Counter,
        "overture_plugin_cpu_milliseconds_total",
        "plugin",
        "CPU time of all calls",
    ),
    metric(
        Gauge,
        "overture_plugin_call_seconds",
        "plugin, quantile",
        "length of calls since the start: 0.5, 0.95, 0.99 and 1",
    ),
    metric(
        Gauge,
        "overture_plugin_memory_peak_bytes",
        "plugin",
        "the largest memory that a call had",
    ),
    metric(
        Gauge,
        "overture_plugins_quarantined",
        "",
        "plugins that rest in a workspace",
    ),
    metric(
        Gauge,
        "overture_database_connections",
        "pool, state",
        "connections of this process: `busy` or `idle`",
    ),
    metric(
        Gauge,
        "overture_clock_offset_seconds",
        "",
        "how far the database's clock is ahead of this host's, which is corrected by it; 0 where the database is a file",
    ),
    metric(
        Gauge,
        "overture_clock_uncertainty_seconds",
        "",
        "how much more or less that may be; nothing is planned while it is above 5",
    ),
    metric(
        Gauge,
        "overture_mail_hosts_left_alone",
        "",
        "mail hosts that can't be reached and are left alone",
    ),
    metric(
        Gauge,
        "process_resident_memory_bytes",
        "",
        "memory of this process",
    ),
    metric(
        Gauge,
        "process_open_fds",
        "",
        "open files and connections of this process",
    ),
];

/// `host/docs/METRICS.md`.
pub fn document() -> String {
    let mut text = "# Metrics\n\n\
        Written by `cargo xtask codegen`; change the code, not this file.\n\n\
        Who may read them is a setting: see `[metrics]` in [CONFIG.md](CONFIG.md). Every label has a \
        bounded number of values. Counters and histograms are of one process, since it began; gauges of \
        what stands in the database are the same at every process.\n\n\
        | name | kind | labels | what it is |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for one in LIST {
        let labels: Vec<_> = one.labels.split(", ").filter(|it| !it.is_empty()).collect();
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (one.name, one.kind.name());
        writeln!(
            text,
            "| `{name}` | {kind} | {} | {} |",
            labels.join(", "),
            one.help
        )
        .expect("memory suffices");
    }
    text
}

/// Tells the recorder what each is.
pub(super) fn describe() {
    for one in LIST {
        match one.kind {
            Counter => metrics::describe_counter!(one.name, one.help),
            Gauge => metrics::describe_gauge!(one.name, one.help),
            Histogram => metrics::describe_histogram!(one.name, one.help),
        }
    }
}
