//! Every operation with the scope that it wants (API-1, API-4): written by hand, so that none
//! comes or goes unseen.

use serde_json::{Value, json};

pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// None: any key will do.
    pub(crate) scope: Option<&'static str>,
    /// A body that can be read.
    pub(crate) body: Option<Value>,
}

pub(crate) fn all() -> Vec<Operation> {
    let campaign = || json!({"name": "Spring", "steps": [], "mailboxIds": []});
    let rows = [
        ("GET", "/me", "", None),
        ("GET", "/prospects", "prospects:read", None),
        (
            "POST",
            "/prospects",
            "prospects:write",
            Some(json!({"email": "ada@example.com"})),
        ),
        (
            "POST",
            "/prospects/bulk",
            "prospects:write",
            Some(json!({"prospectIds": [], "action": {"addTags": ["fair"]}})),
        ),
        ("GET", "/prospects/{id}", "prospects:read", None),
        (
            "PATCH",
            "/prospects/{id}",
            "prospects:write",
            Some(json!({})),
        ),
        (
            "POST",
            "/prospects/suppress",
            "suppressions:write",
            Some(json!({"emails": []})),
        ),
        ("GET", "/suppressions", "suppressions:read", None),
        ("GET", "/campaigns/{id}/forecast", "campaigns:read", None),
        ("GET", "/bounce-shield", "campaigns:read", None),
        (
            "PATCH",
            "/bounce-shield",
            "campaigns:write",
            Some(json!({})),
        ),
        ("GET", "/lists", "prospects:read", None),
        (
            "POST",
            "/lists",
            "prospects:write",
            Some(json!({"name": "Fair"})),
        ),
        ("GET", "/lists/{id}", "prospects:read", None),
        ("PATCH", "/lists/{id}", "prospects:write", Some(json!({}))),
        ("DELETE", "/lists/{id}", "prospects:write", None),
        (
            "POST",
            "/lists/{id}/prospects",
            "prospects:write",
            Some(json!({"prospectIds": []})),
        ),
        (
            "DELETE",
            "/lists/{id}/prospects",
            "prospects:write",
            Some(json!({"prospectIds": []})),
        ),
        ("GET", "/filters", "prospects:read", None),
        (
            "POST",
            "/filters",
            "prospects:write",
            Some(json!({"name": "Fair", "filter": {"tag": "fair"}})),
        ),
        ("GET", "/filters/{id}", "prospects:read", None),
        ("PATCH", "/filters/{id}", "prospects:write", Some(json!({}))),
        ("DELETE", "/filters/{id}", "prospects:write", None),
        ("GET", "/imports", "prospects:read", None),
        ("POST", "/imports", "prospects:write", None),
        ("GET", "/imports/{id}", "prospects:read", None),
        ("GET", "/imports/{id}/problems", "prospects:read", None),
        ("GET", "/imports/{id}/problems.csv", "prospects:read", None),
        ("GET", "/mailboxes", "mailboxes:read", None),
        (
            "POST",
            "/mailboxes",
            "mailboxes:write",
            Some(json!({"emailAddress": "ada@example.com"})),
        ),
        ("GET", "/mailboxes/presets", "mailboxes:read", None),
        ("GET", "/mailboxes/{id}", "mailboxes:read", None),
        (
            "PATCH",
            "/mailboxes/{id}",
            "mailboxes:write",
            Some(json!({})),
        ),
        ("DELETE", "/mailboxes/{id}", "mailboxes:write", None),
        ("POST", "/mailboxes/{id}/test", "mailboxes:write", None),
        ("POST", "/mailboxes/{id}/pause", "mailboxes:write", None),
        ("POST", "/mailboxes/{id}/resume", "mailboxes:write", None),
        ("GET", "/campaigns", "campaigns:read", None),
        ("POST", "/campaigns", "campaigns:write", Some(campaign())),
        ("GET", "/campaigns/{id}", "campaigns:read", None),
        (
            "PATCH",
            "/campaigns/{id}",
            "campaigns:write",
            Some(json!({})),
        ),
        ("POST", "/campaigns/{id}/start", "campaigns:write", None),
        ("POST", "/campaigns/{id}/pause", "campaigns:write", None),
        ("POST", "/campaigns/{id}/resume", "campaigns:write", None),
        ("GET", "/campaigns/{id}/stats", "campaigns:read", None),
        ("GET", "/campaigns/{id}/enrollments", "campaigns:read", None),
        (
            "POST",
            "/campaigns/{id}/enrollments",
            "enrollments:write",
            Some(json!({"emails": ["ada@example.com"]})),
        ),
        (
            "DELETE",
            "/campaigns/{id}/enrollments",
            "enrollments:write",
            Some(json!({"emails": ["ada@example.com"]})),
        ),
        ("GET", "/enrollments/{id}/why", "campaigns:read", None),
        ("GET", "/campaigns/{id}/why", "campaigns:read", None),
        ("GET", "/mailboxes/{id}/why", "mailboxes:read", None),
        ("GET", "/messages", "inbox:read", None),
        ("GET", "/messages/{id}", "inbox:read", None),
        (
            "PATCH",
            "/messages/{id}",
            "inbox:write",
            Some(json!({"label": "question"})),
        ),
        ("GET", "/alerts", "alerts:read", None),
        ("POST", "/alerts/{id}/acknowledge", "alerts:write", None),
        ("GET", "/sends/ambiguous", "campaigns:read", None),
        (
            "POST",
            "/sends/resolve",
            "enrollments:write",
            Some(json!({"ids": [], "outcome": "sent"})),
        ),
        ("GET", "/webhooks", "webhooks:read", None),
        (
            "POST",
            "/webhooks",
            "webhooks:write",
            Some(json!({"url": "https://example.com", "events": ["*"]})),
        ),
        ("GET", "/webhooks/{id}", "webhooks:read", None),
        ("PATCH", "/webhooks/{id}", "webhooks:write", Some(json!({}))),
        ("DELETE", "/webhooks/{id}", "webhooks:write", None),
        ("POST", "/webhooks/{id}/test", "webhooks:write", None),
        (
            "POST",
            "/webhooks/{id}/rotate-secret",
            "webhooks:write",
            None,
        ),
        ("GET", "/webhooks/{id}/deliveries", "webhooks:read", None),
        (
            "GET",
            "/webhooks/{id}/deliveries/{deliveryId}",
            "webhooks:read",
            None,
        ),
        (
            "POST",
            "/webhooks/{id}/replay",
            "webhooks:write",
            Some(json!({})),
        ),
        ("GET", "/events", "campaigns:read", None),
        ("GET", "/events/stream", "campaigns:read", None),
    ];
    rows.into_iter()
        .map(|(method, path, scope, body)| Operation {
            method,
            path,
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            body,
        })
        .collect()
}
