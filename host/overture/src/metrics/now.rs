//! How things stand at the moment of asking.

use metrics::{counter, gauge};
use overture_domain::{
    accounts::AccountStatus, alerts::AlertCode, campaigns::CampaignStatus, enrollments::JobKind,
};
use overture_engine::{Env, Part, PluginHealth as _, plugins::Registry};
use overture_store::{Result, gauges};

/// Sets every gauge. What has gone since the last time is 0.
pub(super) async fn look(env: &Env, plugins: &Registry) -> Result<()> {
    gauge!("overture_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    process();
    for (pool, size, idle) in env.db.connections() {
        let busy = f64::from(size) - idle as f64;
        gauge!("overture_database_connections", "pool" => pool, "state" => "busy").set(busy);
        gauge!("overture_database_connections", "pool" => pool, "state" => "idle").set(idle as f64);
    }
    for part in Part::ALL {
        let n = env.under_way.count(*part);
        gauge!("overture_work_under_way", "part" => part.name()).set(n as f64);
    }
    let offset = env.database_clock.as_ref().and_then(|clock| clock.offset());
    let (ahead, uncertain) = offset.map_or((0.0, 0.0), |offset| {
        (offset.ahead as f64 / 1e6, offset.uncertain.as_secs_f64())
    });
    gauge!("overture_clock_offset_seconds").set(ahead);
    gauge!("overture_clock_uncertainty_seconds").set(uncertain);
    gauge!("overture_mail_hosts_left_alone").set(env.connections.left_alone().len() as f64);
    of_plugins(plugins);
    waiting(env).await
}

fn of_plugins(plugins: &Registry) {
    for listed in plugins.list() {
        let (id, stats) = (listed.info.manifest.id, listed.info.stats);
        counter!("overture_plugin_calls_total", "plugin" => id.clone()).absolute(stats.calls);
        counter!("overture_plugin_faults_total", "plugin" => id.clone()).absolute(stats.faults);
        let cpu = u64::try_from(stats.cpu.as_millis()).unwrap_or(u64::MAX);
        counter!("overture_plugin_cpu_milliseconds_total", "plugin" => id.clone()).absolute(cpu);
        let lengths = [
            ("0.5", stats.p50),
            ("0.95", stats.p95),
            ("0.99", stats.p99),
            ("1", stats.max),
        ];
        for (quantile, length) in lengths {
            gauge!("overture_plugin_call_seconds", "plugin" => id.clone(), "quantile" => quantile)
                .set(length.as_secs_f64());
        }
        gauge!("overture_plugin_memory_peak_bytes", "plugin" => id)
            .set(stats.memory_peak_bytes as f64);
    }
    gauge!("overture_plugins_quarantined").set(plugins.failing().len() as f64);
}

async fn waiting(env: &Env) -> Result<()> {
    let on = &mut env.db.reader();
    let now = env.now();
    let leased = gauges::jobs_leased(on).await?;
    for kind in JobKind::ALL {
        let (n, oldest) = gauges::jobs_due(on, *kind, now).await?;
        let kind = kind.name();
        let waits = oldest.map_or(0.0, |at| now.since(at).as_secs_f64());
        gauge!("overture_jobs_due", "kind" => kind).set(n as f64);
        gauge!("overture_jobs_oldest_due_seconds", "kind" => kind).set(waits);
        gauge!("overture_jobs_leased", "kind" => kind).set(of(&leased, kind));
    }
    let accounts = gauges::accounts(on).await?;
    for status in AccountStatus::ALL {
        gauge!("overture_accounts", "status" => status.name()).set(of(&accounts, status.name()));
    }
    let campaigns = gauges::campaigns(on).await?;
    for status in CampaignStatus::ALL {
        gauge!("overture_campaigns", "status" => status.name()).set(of(&campaigns, status.name()));
    }
    let alerts = gauges::alerts(on).await?;
    for code in AlertCode::ALL {
        gauge!("overture_alerts_open", "code" => code.name()).set(of(&alerts, code.name()));
    }
    gauge!("overture_lanes").set(gauges::lanes(on).await? as f64);
    gauge!("overture_ambiguous_sends").set(gauges::ambiguous(on).await? as f64);
    gauge!("overture_deliveries_waiting").set(gauges::deliveries_waiting(on).await? as f64);
    Ok(())
}

fn of(named: &gauges::Named, name: &str) -> f64 {
    let found = named.iter().find(|(it, _)| it == name);
    found.map_or(0.0, |(_, n)| *n as f64)
}

/// As the system counts them; elsewhere than on Linux they are missing.
fn process() {
    let resident = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = resident.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(pages) = pages {
        let bytes = pages * rustix::param::page_size() as u64;
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(files.count() as f64);
    }
}
