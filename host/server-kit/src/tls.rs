//! A certificate authority for one run, and a certificate for `localhost` and 127.0.0.1.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::program::{run, write};

const EXTENSIONS: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1\n\
    basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n";

/// Writes `ca.pem`, `cert.pem` and `key.pem` into `folder`. rustls takes version 3 certificates
/// only, hence the extensions.
pub(crate) fn make_certificates(folder: &Path) -> Result<()> {
    let at = |name: &str| folder.join(name).display().to_string();
    let openssl = |arguments: &str| {
        run(Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir("/"))
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    write(&folder.join("extensions"), EXTENSIONS)?;
    run(Command::new("openssl")
        .args(format!("req -x509 {key} -days 30").split_whitespace())
        .args(["-subj", "/CN=Overture test CA"])
        .args(["-addext", "basicConstraints=critical,CA:TRUE"])
        .args(["-addext", "keyUsage=critical,keyCertSign"])
        .args(["-keyout", &at("ca.key"), "-out", &at("ca.pem")]))?;
    openssl(&format!(
        "req {key} -subj /CN=localhost -keyout {} -out {}",
        at("key.pem"),
        at("csr.pem")
    ))?;
    openssl(&format!(
        "x509 -req -in {} -CA {} -CAkey {} -CAcreateserial -days 30 -extfile {} -out {}",
        at("csr.pem"),
        at("ca.pem"),
        at("ca.key"),
        at("extensions"),
        at("cert.pem")
    ))?;
    Ok(())
}
