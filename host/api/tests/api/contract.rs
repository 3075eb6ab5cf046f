//! Holds answers against the OpenAPI description (API-5), more strictly than a validator would: a
//! field that the description does not know is wrong too.

use serde_json::{Map, Value};

/// # Panics
/// When the operation is described and this is no answer that it describes.
pub(crate) fn check(document: &Value, method: &str, path: &str, status: u16, body: &Value) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(operation) = operation(document, method, path) else {
        assert_eq!(status, 404, "{method} {path} is not described");
        return;
    };
    let response = &operation["responses"][status.to_string()];
    assert!(
        response.is_object(),
        "{method} {path} does not describe {status}: {body}"
    );
    let kind = if body.is_string() {
        "text/csv"
    } else {
        "application/json"
    };
    let schema = &response["content"][kind]["schema"];
    let mut wrong = Vec::new();
    conforms(document, schema, body, "", &mut wrong);
    assert!(
        wrong.is_empty(),
        "{method} {path} {status} is not as described: {wrong:#?}"
    );
}

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template
                .iter()
                .zip(&path)
                .all(|(a, b)| a.starts_with('{') || a == b)
    };
    let paths = document["paths"].as_object().unwrap();
    let exact = paths.get(path);
    let found = exact.or_else(|| {
        paths
            .iter()
            .find(|(template, _)| fits(template))
            .map(|(_, item)| item)
    })?;
    found.get(method.to_lowercase())
}

/// What the kit understands of JSON Schema; anything else is no silent success.
const KNOWN: &[&str] = &[
    "$ref",
    "additionalProperties",
    "allOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minLength",
    "minimum",
    "oneOf",
    "properties",
    "propertyNames",
    "required",
    "type",
];

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let Some(reference) = schema["$ref"].as_str() else {
        return schema;
    };
    let name = reference.strip_prefix("#/components/schemas/").unwrap();
    let found = &document["components"]["schemas"][name];
    assert!(found.is_object(), "there is no schema {name}");
    found
}

fn conforms(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = resolved(document, schema);
    assert!(schema.is_object(), "{at} has no schema");
    for keyword in schema.as_object().unwrap().keys() {
        assert!(
            KNOWN.contains(&keyword.as_str()),
            "{at}: unknown keyword {keyword}"
        );
    }
    if let Some(several) = schema["oneOf"].as_array() {
        let fits = |one: &Value| {
            let mut wrong = Vec::new();
            conforms(document, one, value, at, &mut wrong);
            wrong.is_empty()
        };
        if several.iter().filter(|one| fits(one)).count() != 1 {
            wrong.push(format!("{at}: {value} is not one of {several:?}"));
        }
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    let (mut properties, mut required) = (Map::new(), Vec::new());
    collect(document, schema, &mut properties, &mut required);
    let names = |kind: &Value| kind.as_str().is_some_and(|kind| is(kind, value));
    let fits = match &schema["type"] {
        Value::Null => schema["allOf"].is_null() || value.is_object(),
        Value::Array(kinds) => kinds.iter().any(names),
        kind => names(kind),
    };
    if !fits {
        wrong.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Some(all) = value.as_array() {
        for (index, one) in all.iter().enumerate() {
            conforms(
                document,
                &schema["items"],
                one,
                &format!("{at}[{index}]"),
                wrong,
            );
        }
    }
    let Some(fields) = value.as_object() else {
        return;
    };
    for name in required.iter().filter(|name| !fields.contains_key(*name)) {
        wrong.push(format!("{at}.{name} is missing"));
    }
    for (name, field) in fields {
        let at = format!("{at}.{name}");
        match (properties.get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => conforms(document, schema, field, &at, wrong),
            (None, free) if free.is_object() => conforms(document, free, field, &at, wrong),
            // An object of anything.
            (None, _) if properties.is_empty() => {}
            (None, _) => wrong.push(format!("{at} is not described")),
        }
    }
}

fn collect(
    document: &Value,
    schema: &Value,
    properties: &mut Map<String, Value>,
    required: &mut Vec<String>,
) {
    let schema = resolved(document, schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(document, part, properties, required);
    }
    properties.extend(
        schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    let names = schema["required"].as_array().into_iter().flatten();
    required.extend(names.filter_map(Value::as_str).map(str::to_owned));
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn answers_that_are_not_described_are_found() {
    let document = serde_json::json!({
        "paths": { "/things/{id}": { "get": { "responses": { "200": { "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/Thing" }
        } } } } } } },
        "components": { "schemas": { "Thing": {
            "type": "object", "required": ["name"],
            "properties": { "name": { "type": "string" }, "size": { "type": ["integer", "null"] } }
        } } }
    });
    let check = |body: Value, expected: &[&str]| {
        let schema = &document["paths"]["/things/{id}"]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        let mut wrong = Vec::new();
        conforms(&document, schema, &body, "", &mut wrong);
        assert_eq!(wrong, expected, "{body}");
    };
    check(serde_json::json!({"name": "a", "size": null}), &[]);
    check(
        serde_json::json!({"name": "a", "size": "b"}),
        &[r#".size: "b" is no ["integer","null"]"#],
    );
    check(serde_json::json!({"size": 1}), &[".name is missing"]);
    check(
        serde_json::json!({"name": "a", "color": 1}),
        &[".color is not described"],
    );
    assert!(operation(&document, "GET", "/things/7").is_some());
    assert!(operation(&document, "POST", "/things/7").is_none());
    assert!(operation(&document, "GET", "/things/7/more").is_none());
}
