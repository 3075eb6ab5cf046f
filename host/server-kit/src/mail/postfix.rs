use std::path::Path;

use super::{MailOptions, MailPorts};
use crate::fates::REFUSALS;

/// `main.cf`. Every domain is delivered to Dovecot, so nothing can leave the machine.
pub(super) fn main(directory: &Path, ports: &MailPorts, options: &MailOptions) -> String {
    let directory = directory.display();
    let MailPorts { lmtp, sasl, .. } = ports;
    let unreachable = unreachable(&options.unreachable);
    format!(
        r"compatibility_level = 3.6
queue_directory = {directory}/pq
data_directory = {directory}/pd
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = /tmp
maillog_file = {directory}/postfix.log
myhostname = mx.sender.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:no local mail
virtual_mailbox_domains = static:all
virtual_mailbox_maps =
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
recipient_delimiter = +
sender_bcc_maps = regexp:{directory}/pf/sent_copies
transport_maps = inline:{{ {unreachable} }}
disable_dns_lookups = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = {directory}/tls/cert.pem
smtpd_tls_key_file = {directory}/tls/key.pem
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
  check_recipient_access regexp:{directory}/pf/refusals,
  permit_sasl_authenticated, reject
smtpd_error_sleep_time = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
bounce_queue_lifetime = 6s
maximal_queue_lifetime = 6s
lmtp_destination_concurrency_limit = 20
"
    )
}

/// `master.cf`.
pub(super) fn master(ports: &MailPorts) -> String {
    let MailPorts {
        submission,
        submissions,
        mx,
        ..
    } = ports;
    let from_outside = "permit_auth_destination,reject";
    format!(
        "127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
127.0.0.1:{mx} inet n - n - - smtpd
  -o smtpd_relay_restrictions={from_outside} -o smtpd_recipient_restrictions={from_outside}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"
    )
}

/// Whose mails are copied to the folder Sent, by the `+detail` that Dovecot's LMTP takes for a
/// folder.
pub(super) fn sent_copies(options: &MailOptions) -> String {
    let mut lines = String::from("/^(.+)@(.+\\.copies\\.test)$/ ${1}+Sent@${2}\n");
    for sender in &options.sent_copies {
        if let Some((local, domain)) = sender.rsplit_once('@') {
            lines += &format!("/^{}$/ {local}+Sent@{domain}\n", literally(sender));
        }
    }
    lines
}

/// What is answered to RCPT.
pub(super) fn refusals(options: &MailOptions) -> String {
    let ours = REFUSALS
        .iter()
        .map(|(local, answer)| format!("/^{local}@d[0-7]\\.test$/ {answer}\n"));
    let chosen = options
        .refusals
        .iter()
        .map(|(address, answer)| format!("/^{}$/ {answer}\n", literally(address)));
    ours.chain(chosen).collect()
}

/// Domains that are delivered to a port where nobody listens.
fn unreachable(chosen: &[String]) -> String {
    ["soft.test"]
        .into_iter()
        .chain(chosen.iter().map(String::as_str))
        .map(|domain| format!("{{ {domain} = lmtp:inet:127.0.0.1:1 }}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Text as a regular expression that matches only it.
fn literally(text: &str) -> String {
    let escape = |c: char| {
        if c.is_alphanumeric() || "@_-".contains(c) {
            c.into()
        } else {
            format!("\\{c}")
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_addresses_stand_in_the_tables_literally() {
        let options = MailOptions {
            sent_copies: vec!["eve.x@sender.test".into()],
            refusals: vec![("a+b@c.test".into(), "550 5.7.1 no".into())],
            ..MailOptions::default()
        };
        assert_eq!(
            sent_copies(&options).lines().last(),
            Some("/^eve\\.x@sender\\.test$/ eve.x+Sent@sender.test")
        );
        assert_eq!(
            refusals(&options).lines().last(),
            Some("/^a\\+b@c\\.test$/ 550 5.7.1 no")
        );
    }
}
