//! Each guest that misbehaves: first naked, where it must really do harm, then with the limits on,
//! where it must not (PLG-3).

use std::time::Duration;

use overture_plugin_host::{CallError, Formatted, Limits};
use wasmtime::{Trap, component::Val};

use crate::{
    guests::{context, event, host_with, id, workspace},
    naked::{harm, harm_for},
};

async fn format(name: &str, settings: &str) -> Result<Formatted, CallError> {
    let (host, _) = host_with(name);
    let formatter = host.formatter(&id(name)).unwrap();
    formatter
        .format(workspace(1), &event(), &context(settings))
        .await
}

fn limits() -> Limits {
    Limits::default_for(overture_plugin_host::Kind::Formatter)
}

/// The body of a naked guest's answer.
fn body(answer: Val) -> Vec<Val> {
    let Val::Result(Ok(Some(output))) = answer else {
        panic!("{answer:?}")
    };
    let Val::Record(fields) = *output else {
        panic!("{output:?}")
    };
    let body = fields.into_iter().find(|(name, _)| name == "body").unwrap();
    let (_, Val::List(bytes)) = body else {
        panic!("{body:?}")
    };
    bytes
}

// PLG-3
#[tokio::test]
async fn an_endless_loop_ends_at_the_cpu_limit() {
    let ended = harm_for(Duration::from_secs(1), "loops", "{}")
        .answer
        .unwrap_err();
    assert_eq!(
        ended.downcast_ref(),
        Some(&Trap::Interrupt),
        "it ran until it was killed"
    );

    let error = format("loops", "{}").await.unwrap_err();
    assert_eq!(
        error,
        CallError::CpuLimit {
            limit: limits().cpu
        }
    );
    assert_eq!(error.code(), "plugin_cpu_limit");
    assert_eq!(
        error.to_string(),
        "the plugin computed longer than 100 ms: an endless loop, or too much work for one call"
    );
}

// PLG-3: the limit is CPU time, so what a guest overruns is a tick or two.
#[tokio::test]
async fn an_endless_loop_is_charged_what_it_used() {
    let (host, _) = host_with("loops");
    let formatter = host.formatter(&id("loops")).unwrap();
    formatter
        .format(workspace(1), &event(), &context("{}"))
        .await
        .unwrap_err();
    let stats = host.find(&id("loops")).unwrap().stats;
    assert!(stats.cpu >= limits().cpu, "{:?}", stats.cpu);
    assert!(
        stats.cpu < limits().cpu + Duration::from_millis(100),
        "{:?}",
        stats.cpu
    );
}

// PLG-3: others go on while a guest loops, on one thread.
#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_lets_others_run() {
    let (host, _) = host_with("loops");
    host.load(
        &crate::guests::guest("echo"),
        overture_plugin_host::Origin::Embedded,
        None,
    )
    .unwrap();
    let looping = host.formatter(&id("loops")).unwrap();
    let echo = host.formatter(&id("echo")).unwrap();
    let (event, context) = (event(), context("{}"));
    let mut looped = std::pin::pin!(looping.format(workspace(1), &event, &context));
    let mut echoed = 0;
    let error = loop {
        tokio::select! {
            biased;
            looped = &mut looped => break looped.unwrap_err(),
            answer = echo.format(workspace(1), &event, &context) => {
                answer.unwrap();
                echoed += 1;
            }
        }
    };
    assert_eq!(error.code(), "plugin_cpu_limit");
    assert!(echoed >= 3, "{echoed} calls between the slices of the loop");
}

// PLG-3
#[tokio::test]
async fn memory_ends_at_its_limit() {
    let naked = harm("eats-memory", "{}");
    assert!(naked.memory > 200 << 20, "{} bytes", naked.memory);

    let error = format("eats-memory", "{}").await.unwrap_err();
    let CallError::MemoryLimit { wanted, limit } = error else {
        panic!("{error:?}")
    };
    assert_eq!(limit, limits().memory_bytes);
    assert!(wanted > limit);
    assert_eq!(error.code(), "plugin_memory_limit");
}

// PLG-3
#[tokio::test]
async fn a_panic_is_an_error_of_the_call() {
    let ended = harm("panics", "{}").answer.unwrap_err();
    assert_eq!(ended.downcast_ref(), Some(&Trap::UnreachableCodeReached));

    let (host, _) = host_with("panics");
    let formatter = host.formatter(&id("panics")).unwrap();
    for _ in 0..3 {
        let error = formatter
            .format(workspace(1), &event(), &context("{}"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "plugin_panicked", "{error}");
        assert!(
            error.to_string().contains("#format"),
            "it says where: {error}"
        );
    }
    assert_eq!(host.find(&id("panics")).unwrap().stats.faults, 3);
}

// PLG-3
#[tokio::test]
async fn a_huge_answer_is_not_copied() {
    assert_eq!(
        body(harm("huge-output", "{}").answer.unwrap()).len(),
        6_000_000
    );

    let error = format("huge-output", "{}").await.unwrap_err();
    assert_eq!(
        error,
        CallError::OutputTooLarge {
            limit: limits().output_bytes
        }
    );
}

// PLG-3
#[tokio::test]
async fn a_flood_of_log_lines_is_cut() {
    let naked = harm("floods-log", "{}");
    assert_eq!(naked.host_calls, 20_000);

    let (host, fakes) = host_with("floods-log");
    // So that it comes to its end: dropping 200 MB of lines takes time, which it is charged.
    let patient = Limits {
        cpu: Duration::from_secs(60),
        wall: Duration::from_secs(60),
        ..limits()
    };
    host.set_policy(&id("floods-log"), None, Some(patient))
        .unwrap();
    let formatter = host.formatter(&id("floods-log")).unwrap();
    formatter
        .format(workspace(1), &event(), &context("{}"))
        .await
        .unwrap();
    let lines = fakes.log.lines.lock().unwrap();
    assert_eq!(lines.len() as u32, limits().log_lines);
    assert!(
        lines
            .iter()
            .all(|(_, line)| line.len() <= limits().log_line_bytes)
    );
    assert_eq!(
        *fakes.log.dropped.lock().unwrap(),
        20_000 - limits().log_lines
    );
}

// PLG-3
#[tokio::test]
async fn recursion_ends_with_the_stack() {
    let naked = harm("recurses", "{}");
    assert_eq!(
        naked.answer.unwrap_err().downcast_ref(),
        Some(&Trap::StackOverflow)
    );

    let (host, fakes) = host_with("recurses");
    let formatter = host.formatter(&id("recurses")).unwrap();
    let error = formatter
        .format(workspace(1), &event(), &context("{}"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "plugin_stack_overflow", "{error}");
    let dropped = *fakes.log.dropped.lock().unwrap();
    let thousands = fakes.log.lines.lock().unwrap().len() + dropped as usize;
    assert!(naked.host_calls > 10 * thousands, "{thousands}");
}

// PLG-3
#[tokio::test]
async fn nonsense_is_not_passed_on() {
    let forged = harm("nonsense", "second-header").answer.unwrap();
    assert!(
        format!("{forged:?}").contains("x-forged: yes"),
        "it would forge a header: {forged:?}"
    );

    for (settings, expected) in [
        ("broken-json", "the body is no JSON"),
        ("no-content-type", "`` is no content type"),
        (
            "second-header",
            "the header `x-kind` has a character that is not allowed",
        ),
        ("many-headers", "1000 headers, at most 20"),
    ] {
        let error = format("nonsense", settings).await.unwrap_err();
        assert_eq!(error.code(), "plugin_bad_answer", "{settings}");
        assert!(error.to_string().contains(expected), "{settings}: {error}");
    }
    let own = format("nonsense", "other").await.unwrap_err();
    assert_eq!(
        own,
        CallError::InvalidSettings("no such nonsense: other".into())
    );
}

// PLG-3
#[tokio::test]
async fn a_large_input_is_refused_before_it_is_copied() {
    let (host, _) = host_with("echo");
    let formatter = host.formatter(&id("echo")).unwrap();
    let huge = overture_plugin_host::Event {
        data: "x".repeat(2 << 20),
        ..event()
    };
    let error = formatter
        .format(workspace(1), &huge, &context("{}"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "plugin_input_too_large");
    assert_eq!(host.find(&id("echo")).unwrap().stats.calls, 0);
}

// PLG-3: whatever one call did, the next begins with nothing of it.
#[tokio::test]
async fn a_call_after_a_crash_is_like_the_first() {
    let (host, _) = host_with("echo");
    host.load(
        &crate::guests::guest("eats-memory"),
        overture_plugin_host::Origin::Embedded,
        None,
    )
    .unwrap();
    let eater = host.formatter(&id("eats-memory")).unwrap();
    let echo = host.formatter(&id("echo")).unwrap();
    for _ in 0..20 {
        eater
            .format(workspace(1), &event(), &context("{}"))
            .await
            .unwrap_err();
        let answer = echo
            .format(workspace(1), &event(), &context("{}"))
            .await
            .unwrap();
        assert_eq!(answer.body, event().data.into_bytes());
    }
}
