//! Databases that are made on a server of PostgreSQL for a while, for simulations.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::Result;

/// Makes an empty database on a server of PostgreSQL, in place of one with that name; its URL.
///
/// # Errors
/// What the server says.
pub async fn fresh_database(server: &str, name: &str) -> Result<String> {
    drop_database(server, name).await?;
    execute(server, format!("CREATE DATABASE {name}")).await?;
    let (address, options) = match server.split_once('?') {
        Some((address, options)) => (address, format!("?{options}")),
        None => (server, String::new()),
    };
    let (before, _) = address.rsplit_once('/').unwrap_or((address, ""));
    Ok(format!("{before}/{name}{options}"))
}

/// Drops a database of that name, where there is one, with all its connections.
///
/// # Errors
/// What the server says.
pub async fn drop_database(server: &str, name: &str) -> Result<()> {
    execute(
        server,
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await
}

async fn execute(server: &str, text: String) -> Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(text)).await?;
    connection.close().await?;
    Ok(())
}
