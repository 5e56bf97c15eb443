//! [`Admitted`]: who may look. By default whoever asks from this machine, and asks us.
//!
//! What a process does, and for whom, is not for strangers. The address of the peer alone does not say who asks:
//! - a proxy on the same machine connects from loopback for the whole world. It says so in a header;
//! - a web page can have a browser on this machine ask, under a name of its own that it lets point at loopback (DNS
//!   rebinding). The name that was asked for is then not loopback's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};

use crate::view::Shared;

/// Who asks may look.
#[derive(Debug)]
pub(crate) struct Admitted;

/// Why not, in words for whoever set it up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Unknown,
    Stranger(IpAddr),
    Proxied(&'static str),
    OtherHost,
}

impl Refused {
    fn text(&self) -> String {
        match self {
            Refused::Unknown => "ctxprop-live answers loopback only, and the address of the peer is not known here.\n\
                Serve the router with `ctxprop_axum::serve(listener, app)`, or with\n\
                `axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>())`.\n\
                Where something else decides who may look, `View::new().for_everyone()` asks no more.\n"
                .to_owned(),
            Refused::Stranger(address) => format!(
                "ctxprop-live answers loopback only, and you are {address}.\n\
                 Go there by `ssh -L`, or `kubectl port-forward`.\n"
            ),
            Refused::Proxied(header) => format!(
                "ctxprop-live answers loopback only, and this came through a proxy: it has the header `{header}`.\n"
            ),
            Refused::OtherHost => "ctxprop-live answers to `localhost` and to addresses of loopback only.\n".to_owned(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
        (StatusCode::FORBIDDEN, plain, self.text()).into_response()
    }
}

/// What proxies add.
const BY_PROXIES: [&str; 5] =
    ["forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host", "via"];

fn admit(peer: Option<SocketAddr>, headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
    // An address of IPv4 that comes through a socket of IPv6 is still that.
    let peer = peer.ok_or(Refused::Unknown)?.ip().to_canonical();
    if !peer.is_loopback() {
        return Err(Refused::Stranger(peer));
    }
    if let Some(header) = BY_PROXIES.into_iter().find(|header| headers.contains_key(*header)) {
        return Err(Refused::Proxied(header));
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = uri.host().or_else(|| host.map(without_port));
    if host.is_some_and(is_loopback) { Ok(()) } else { Err(Refused::OtherHost) }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Admitted {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        if !shared.for_everyone {
            let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
            admit(peer.map(|ConnectInfo(peer)| *peer), &parts.headers, &parts.uri)?;
        }
        Ok(Admitted)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked(peer: &str, host: &str, more: &[(&'static str, &'static str)]) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        for (name, value) in more {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        admit(Some(peer.parse().unwrap()), &headers, &Uri::from_static("/debug/ctx"))
    }

    #[test]
    fn loopback_may_look() {
        for host in
            ["localhost", "localhost:80", "127.0.0.1:8080", "[::1]:80", "[::1]", "a.LOCALHOST:1"]
        {
            assert_eq!(asked("127.0.0.1:9", host, &[]), Ok(()), "{host}");
        }
        assert_eq!(asked("[::1]:9", "localhost", &[]), Ok(()));
        assert_eq!(asked("[::ffff:127.0.0.1]:9", "localhost", &[]), Ok(()));
    }

    #[test]
    fn strangers_proxies_and_other_names_may_not() {
        let stranger = Refused::Stranger("10.0.0.7".parse().unwrap());
        assert_eq!(asked("10.0.0.7:9", "localhost", &[]), Err(stranger));
        let proxied = asked("127.0.0.1:9", "localhost", &[("x-forwarded-for", "10.0.0.7")]);
        assert_eq!(proxied, Err(Refused::Proxied("x-forwarded-for")));
        for host in
            ["evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.7", ""]
        {
            assert_eq!(asked("127.0.0.1:9", host, &[]), Err(Refused::OtherHost), "{host}");
        }
        let none =
            admit(Some(([127, 0, 0, 1], 9).into()), &HeaderMap::new(), &Uri::from_static("/"));
        assert_eq!(none, Err(Refused::OtherHost));
    }

    #[test]
    fn without_an_address_the_message_names_the_fix() {
        let unknown = admit(None, &HeaderMap::new(), &Uri::from_static("/"));
        assert_eq!(unknown, Err(Refused::Unknown));
        assert!(Refused::Unknown.text().contains("into_make_service_with_connect_info"));
    }
}
