//! `cargo xtask servers`

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result};
use overture_server_kit::{
    Durability, FATES, MailOptions, MailServers, prospect_address, start_mail, start_postgres,
};

use crate::system;

/// Starts the servers of the test kit, says how to reach them, and stops them at the end of the
/// input.
pub(crate) fn run(env: Option<&Path>) -> Result<()> {
    system::install_for_tests()?;
    println!("starting Postfix, Dovecot and PostgreSQL in a temporary directory");
    let mail = start_mail(&MailOptions::default())?;
    let postgres = start_postgres(Durability::Off)?;
    print!("{}", describe(&mail));
    println!("\n{}\n  database   {}", postgres.version, postgres.url);
    if let Some(file) = env {
        fs::write(file, variables(&mail, &postgres.url))
            .with_context(|| format!("{} can't be written", file.display()))?;
        println!(
            "\nwrote {}: read it with `. {}`",
            file.display(),
            file.display()
        );
    }
    println!("\nThey run until the input ends (Ctrl-D).");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    println!("stopping");
    Ok(())
}

fn describe(mail: &MailServers) -> String {
    let ports = mail.ports;
    let mut text = format!(
        "
{}
  directory  {}
  CA file    {}
  SMTP       localhost:{} (STARTTLS), localhost:{} (TLS), both with AUTH
  IMAP       localhost:{} (STARTTLS), localhost:{} (TLS)
  from outside, without AUTH: 127.0.0.1:{}

accounts (a login is the address)
",
        mail.versions(),
        mail.directory.display(),
        mail.ca_file.display(),
        ports.submission,
        ports.submissions,
        ports.imap,
        ports.imaps,
        ports.mx,
    );
    for account in &mail.accounts {
        text += &format!("  {}  password {}\n", account.address, account.password);
    }
    text += &format!(
        "  {}, {} … {}  password pw\n\naddresses with another fate\n",
        prospect_address(1),
        prospect_address(2),
        prospect_address(mail.prospects),
    );
    for fate in FATES {
        let what = match (fate.refused, fate.dsn) {
            (Some(answer), _) => format!("refused at RCPT with {answer}"),
            (None, Some(status)) => format!("accepted, then a bounce mail with {status}"),
            (None, None) => "delivered".into(),
        };
        text += &format!("  {:22} {what}\n", fate.address);
    }
    text += &format!("\n{}", for_overture(mail));
    text
}

/// Lines to paste: the configuration, and the command that adds a mailbox.
fn for_overture(mail: &MailServers) -> String {
    let ports = mail.ports;
    let ca_file = mail.ca_file.display();
    let Some(sender) = mail.accounts.first() else {
        return String::new();
    };
    format!(
        "for overture (in overture.toml)
  [mail]
  allowed_networks = [\"127.0.0.0/8\"]
  allowed_ports = [{smtp}, {imap}]
  extra_ca_file = \"{ca_file}\"
  check_routing = false

  overture mailbox add {address} --smtp localhost:{smtp} --smtp-tls starttls \\
      --imap localhost:{imap} --imap-tls implicit --password {password}
",
        address = sender.address,
        password = sender.password,
        smtp = ports.submission,
        imap = ports.imaps,
    )
}

/// The same for a shell: `NAME='value'` a line.
fn variables(mail: &MailServers, database: &str) -> String {
    let ports = mail.ports;
    let mut lines = format!(
        "CA_FILE='{}'\nSMTP_PORT='{}'\nIMAP_PORT='{}'\nMX_PORT='{}'\nPROSPECT='{}'\nPOSTGRES='{database}'\n",
        mail.ca_file.display(),
        ports.submission,
        ports.imaps,
        ports.mx,
        prospect_address(1),
    );
    if let Some(sender) = mail.accounts.first() {
        lines += &format!(
            "SENDER='{}'\nSENDER_PASSWORD='{}'\n",
            sender.address, sender.password
        );
    }
    lines
}
