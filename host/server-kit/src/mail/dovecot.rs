use std::path::Path;

use super::MailPorts;

/// `dovecot.conf`, for Dovecot 2.3.
pub(super) fn configuration(directory: &Path, ports: &MailPorts, special_use: bool) -> String {
    let marked: String = if special_use {
        &["Sent", "Junk", "Trash"][..]
    } else {
        &[]
    }
    .iter()
    .map(|name| {
        format!("  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{name}\n  }}\n")
    })
    .collect();
    let directory = directory.display();
    let MailPorts {
        imap,
        imaps,
        lmtp,
        sasl,
        ..
    } = ports;
    format!(
        r"base_dir = {directory}/dv
state_dir = {directory}/dv
instance_name = mt
log_path = {directory}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{directory}/tls/cert.pem
ssl_key = <{directory}/tls/key.pem
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:{directory}/mail/%u
mail_fsync = never
mail_max_userip_connections = 0
mailbox_idle_check_interval = 5 secs
first_valid_uid = 1
default_process_limit = 200
default_client_limit = 4000
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
mail_plugins = quota
plugin {{
  quota = count:User
  quota_vsizes = yes
}}
passdb {{
  driver = passwd-file
  args = {directory}/dc/users
}}
userdb {{
  driver = passwd-file
  args = {directory}/dc/users
  override_fields = home={directory}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
{marked}}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 4000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 3000
}}
service imap-urlauth-login {{
  process_limit = 1
}}
service lmtp {{
  process_limit = 50
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service anvil {{
  client_limit = 10000
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  client_limit = 10000
  inet_listener sasl {{
    port = {sasl}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@sender.test
}}
"
    )
}
