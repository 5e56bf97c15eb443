use ctxprop::wire::Group;
use http::HeaderValue;

use super::*;

fn url(url: &str) -> Url {
    url.parse().unwrap()
}

fn baggage() -> BaggageMap {
    let mut builder = BaggageMap::builder();
    builder.insert("tenant", "acme").unwrap();
    builder.insert_private("user", "7").unwrap();
    builder.build()
}

fn sent(egress: &Egress, to: &str, mut headers: HeaderMap) -> HeaderMap {
    let remaining = Some(Duration::from_secs(5));
    let span = SpanContext::root();
    let to = (&url(to), egress.zone(&url(to)));
    egress.write(to, &span, &baggage(), remaining, &mut headers).unwrap();
    headers
}

fn told(egress: &Egress, to: &str) -> Option<String> {
    let headers = sent(egress, to, HeaderMap::new());
    let line = headers.get("baggage")?;
    Some(line.to_str().unwrap().to_owned())
}

#[test]
fn the_host_is_the_parsers() {
    let egress = Egress::default();
    for peer in [
        "http://[::1]/",
        "http://[0:0::1]:8080/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:a00:1]/",
        "http://[fd00::1]/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://10.0.0.1./",
        "http://LOCALHOST./",
        "http:///localhost/",
        "http://0177.0.0.1/",
        "http://0xa000001/",
        "http://\u{ff11}0.0.0.1/",
        "http://p\u{e4}yments/",
        "http://evil.example@payments/",
        "https://db%2Einternal/",
        "http://DB.Internal\\@evil.example/",
        "http://pay.shop.svc.cluster.local:8080/",
    ] {
        assert!(told(&egress, peer).is_some(), "{peer}");
    }
    for stranger in [
        "http://[::ffff:8.8.8.8]/",
        "http://[2001:db8::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://0.0.0.0/",
        "http://0/",
        "http://169.254.169.254/",
        "http://2852039166/",
        "http://100.64.0.1/",
        "http:///evil.example/",
        "http://localhost.evil.example/",
        "http://10.0.0.1.evil.example/",
        "http://127.0.0.1.nip.io/",
        "http://internal@evil.example/",
        "http://payments./",
        "http://ai./",
        "http://134744072/",
        "http://0x8080808/",
        "http://localhost@evil.example/",
        "http://localhost:80@evil.example:80/",
        "http://evil.example\\@localhost/",
        "http://evil.example/@localhost",
        "http://evil.example#.internal",
        "http://evil.example?.internal",
        "http://internal.evil.example./",
        "http://evil.example.local.attacker.com/",
        "http://xn--nternal-oza.example/",
    ] {
        assert_eq!(told(&egress, stranger), None, "{stranger}");
    }
}

#[test]
fn a_header_that_must_not_be_seen_is_removed_whoever_wrote_it() {
    let egress = Egress {
        no_trace: vec!["*.example".parse().unwrap()],
        no_budget: vec!["*.example".parse().unwrap()],
        ..Egress::default()
    };
    let by_hand = || {
        let by_hand = HeaderValue::from_static("1");
        HeaderMap::from_iter(Egress::headers().map(|name| (name.clone(), by_hand.clone())))
    };
    assert!(sent(&egress, "http://shop.example/", by_hand()).is_empty());
    let headers = sent(&egress, "http://payments/", by_hand());
    assert_eq!(headers["baggage"], "1");
    assert_ne!(headers["traceparent"], "1");
    assert_eq!(headers["x-timeout-ms"], "5000");
}

#[test]
fn what_is_private_stays_inside() {
    let mesh = Mesh::new().allow("partner.example").unwrap();
    let egress = Egress { mesh: mesh.inside("*.corp.example").unwrap(), ..Egress::default() };
    let all = Some("tenant=acme,user=7;private".to_owned());
    assert_eq!(told(&egress, "http://users.corp.example/"), all);
    assert_eq!(told(&egress, "http://partner.example/"), Some("tenant=acme".to_owned()));
}

/// Baggage that somebody wrote goes by the same rules as the context's, in however many lines.
#[test]
fn what_is_private_stays_inside_whoever_wrote_it() {
    let mesh = Mesh::new().allow("partner.example").unwrap();
    let egress = Egress { mesh, ..Egress::default() };
    let off = Egress { formats: Formats::new().baggage(false), ..egress.clone() };
    let (peer, partner, stranger) =
        ("http://payments/", "http://partner.example/", "http://evil.example/");
    for (lines, public) in [
        (&["tenant=acme,user.id=7;private"][..], &["tenant=acme"][..]),
        (&["tenant=acme, user.id=7 ; x ; PRIVATE = 1"], &["tenant=acme"]),
        (&["user.id=7;private=", "tenant=acme"], &["tenant=acme"]),
        (&["user.id=7,user.id=8;Private", "user.id=9,tenant=acme"], &["tenant=acme"]),
        (&["user.id=7;private"], &[]),
        // What cannot be read cannot be judged.
        (&["user.id=7;private 1,tenant=acme", "no member"], &["tenant=acme"]),
        (&["a=1 ,b=2;p"], &["a=1 ,b=2;p"]),
    ] {
        for egress in [&egress, &off] {
            let told = |to| {
                let lines = lines.iter().map(|line| HeaderValue::from_static(line));
                let name = HeaderName::from_static("baggage");
                let by_hand = lines.map(|line| (name.clone(), line));
                let headers = sent(
                    egress,
                    to,
                    by_hand.fold(HeaderMap::new(), |mut all, (name, line)| {
                        all.append(name, line);
                        all
                    }),
                );
                let told = headers.get_all("baggage").iter();
                told.map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(told(peer), lines);
            assert_eq!(told(partner), public);
            assert!(told(stranger).is_empty());
        }
    }
}

#[test]
fn a_budget_that_no_longer_holds_goes_to_nobody() {
    for formats in
        [Formats::new(), Formats::new().budget(false), Formats::new().send_grpc_timeout(true)]
    {
        let egress = Egress { formats, ..Egress::default() };
        for to in ["http://payments/", "http://evil.example/"] {
            let stale = HeaderValue::from_static("1500");
            let stale = HEADERS.iter().map(|header| (header.name().clone(), stale.clone()));
            let mut headers = HeaderMap::from_iter(stale);
            let (span, target) = (SpanContext::root(), url(to));
            let zone = egress.zone(&target);
            egress.write((&target, zone), &span, &baggage(), None, &mut headers).unwrap();
            let budgets = HEADERS.iter().filter(|header| header.group() == Group::Budget);
            assert!(
                budgets.map(Header::name).all(|name| !headers.contains_key(name)),
                "{headers:?}"
            );
            assert!(!headers.contains_key("x-trace-id"));
        }
    }
}

#[test]
fn a_referer_names_nobody_who_is_further_in() {
    let egress =
        Egress { mesh: Mesh::new().allow("partner.example").unwrap(), ..Egress::default() };
    let (peer, partner, stranger) =
        ("http://payments/", "http://partner.example/", "http://evil.example/");
    for (referer, seen_by) in [
        ("http://stock/articles?user=7", &[peer][..]),
        ("http://10.0.0.1/", &[peer]),
        ("http://partner.example/x", &[peer, partner]),
        ("http://shop.example/x", &[peer, partner, stranger]),
        ("http://[::ffff:10.0.0.1]/", &[peer]),
        // to be seen on the wire
        ("https://shop.example/x", &[]),
        // no host to judge
        ("/articles?user=7", &[peer]),
        ("about:blank", &[peer]),
        ("not a url", &[peer]),
    ] {
        for to in [peer, partner, stranger] {
            let by_hand = HeaderMap::from_iter([(REFERER, HeaderValue::from_static(referer))]);
            let kept = sent(&egress, to, by_hand).contains_key(REFERER);
            assert_eq!(kept, seen_by.contains(&to), "{referer} {to}");
        }
    }
    let by_hand =
        HeaderMap::from_iter([(REFERER, HeaderValue::from_static("https://shop.example/"))]);
    assert!(sent(&egress, "https://evil.example/", by_hand).contains_key(REFERER));
}

#[test]
fn which_way_is_outwards() {
    let egress =
        Egress { mesh: Mesh::new().allow("partner.example").unwrap(), ..Egress::default() };
    let hosts = ["http://payments/", "http://partner.example/", "http://evil.example/"];
    for (from, here) in hosts.iter().enumerate() {
        for (to, next) in hosts.iter().enumerate() {
            let outwards = egress.leads_outwards(&url(here), &url(next));
            assert_eq!(outwards, to > from, "{here} {next}");
        }
    }
}

#[test]
fn along_redirects_trust_only_falls() {
    let mesh = Mesh::new().allow("*.corp.example").unwrap();
    let egress = Egress { mesh, ..Egress::default() };
    let (peer, partner, stranger) =
        ("http://payments/", "http://users.corp.example/", "http://evil.example/");
    let (inside, allowed, outside) = (Zone::Inside, Zone::Allowed, Zone::Outside);
    for (chain, zones) in [
        (&[peer, "http://10.0.0.1:8080/", peer][..], &[inside, inside, inside][..]),
        (&[peer, stranger, peer, peer], &[inside, outside, outside, outside]),
        (&[stranger, peer], &[outside, outside]),
        (&[peer, partner, peer], &[inside, allowed, allowed]),
        (&[partner, stranger, partner], &[allowed, outside, outside]),
        // to TLS, within it, and out of it
        (&[peer, "https://payments/", "https://stock/"], &[inside, inside, inside]),
        (&["https://payments/", peer, peer], &[inside, outside, outside]),
        (&["https://payments/", peer, "https://payments/"], &[inside, outside, outside]),
        (&["https://users.corp.example/", partner], &[allowed, outside]),
    ] {
        let mut found = vec![egress.zone(&url(chain[0]))];
        for hop in chain.windows(2) {
            found.push(egress.after(found[found.len() - 1], &url(hop[0]), &url(hop[1])));
        }
        assert_eq!(found, zones, "{chain:?}");
    }
}
