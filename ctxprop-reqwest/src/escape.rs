//! What a reqwest builder must not have set by itself, because reqwest would apply it at every hop alike.
//!
//! reqwest tells what a builder holds in its `Debug` output only. Should that change, the tests of this
//! file fail; what is looked for is then not found, and nothing else happens.

use crate::egress::Egress;
use crate::error::BuilderError;
use crate::journey::SENSITIVE;

pub(crate) fn check(builder: &reqwest::ClientBuilder) -> Result<(), BuilderError> {
    let held = format!("{builder:#?}");
    // One field a line, four spaces in; eight spaces in, what is in a field.
    if held.lines().any(|line| line.starts_with("    timeout: ")) {
        return Err(BuilderError::Timeout);
    }
    let headers = held
        .lines()
        .skip_while(|line| *line != "    default_headers: {")
        .skip(1)
        .take_while(|line| *line != "    },")
        .filter_map(|line| line.trim_start().strip_prefix('"')?.split_once('"'));
    for (set, _) in headers {
        let mut refused = SENSITIVE.iter().chain(Egress::headers());
        if let Some(name) = refused.find(|name| name.as_str() == set) {
            return Err(BuilderError::DefaultHeader(name.as_str()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use reqwest::ClientBuilder;

    use super::*;

    fn with(name: &'static str, value: &str, is_sensitive: bool) -> ClientBuilder {
        let mut value = HeaderValue::from_str(value).unwrap();
        value.set_sensitive(is_sensitive);
        let name = HeaderName::from_static(name);
        ClientBuilder::new().default_headers(HeaderMap::from_iter([(name, value)]))
    }

    #[test]
    fn headers_that_some_hops_must_not_carry() {
        for name in ["authorization", "cookie", "baggage", "traceparent", "x-timeout-ms"] {
            for is_sensitive in [false, true] {
                let error = check(&with(name, "v", is_sensitive)).unwrap_err();
                assert_eq!(error, BuilderError::DefaultHeader(name));
            }
        }
    }

    #[test]
    fn other_headers_are_free() {
        assert_eq!(check(&ClientBuilder::new().user_agent("me")), Ok(()));
        assert_eq!(check(&with("x-api-version", "\"authorization\": 1", false)), Ok(()));
    }

    #[test]
    fn timeouts() {
        let second = std::time::Duration::from_secs(1);
        let builder = ClientBuilder::new().timeout(second);
        assert_eq!(check(&builder), Err(BuilderError::Timeout));
        let builder = ClientBuilder::new().connect_timeout(second).read_timeout(second);
        assert_eq!(check(&builder), Ok(()));
    }
}
