use super::*;

#[test]
fn peers_without_being_named() {
    let mesh = Mesh::new();
    for host in [
        "localhost",
        "LocalHost",
        "localhost.",
        "api.localhost",
        "127.0.0.1",
        "127.255.255.254",
        "127.0.0.1.",
        "::1",
        "[::1]",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "fc00::1",
        "fdff::1",
        "[fd00::17]",
        "::ffff:10.0.0.1",
        "[::ffff:127.0.0.1]",
        "::ffff:a00:1",
        "payments",
        "PAYMENTS",
        "my_service",
        "printer.local",
        "db.internal",
        "DB.Internal.",
        "pay.shop.svc.cluster.local",
        "xn--bcher-kva",
    ] {
        assert_eq!(mesh.zone(host), Zone::Inside, "{host}");
        assert_eq!(Mesh::empty().zone(host), Zone::Outside, "{host}");
    }
}

#[test]
fn strangers() {
    let mesh = Mesh::new();
    for host in [
        "evil.example",
        "evil.example.local.attacker.com",
        "local.attacker.com",
        "internal.example",
        "xlocal.example",
        "evillocal.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1.nip.io",
        "8.8.8.8",
        "11.0.0.1",
        "172.15.255.255",
        "172.32.0.0",
        "192.169.0.1",
        "128.0.0.1",
        "169.253.1.1",
        // carrier-grade NAT
        "100.64.0.1",
        "100.127.255.255",
        // whoever is on this link, the metadata service of clouds among them
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "febf::1",
        "::ffff:169.254.169.254",
        // nobody, and everybody
        "0.0.0.0",
        "::",
        "255.255.255.255",
        // top-level domains: some have addresses
        "ai.",
        "PAYMENTS.",
        "local.",
        "internal.",
        "2001:db8::1",
        "fec0::1",
        "fbff::1",
        "::ffff:8.8.8.8",
        // the old ways to write IPv4 in IPv6, and NAT64
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:a00:1::",
    ] {
        assert_eq!(mesh.zone(host), Zone::Outside, "{host}");
    }
}

#[test]
fn what_is_no_host_is_a_stranger() {
    let mesh = Mesh::new().inside("*.corp.example").unwrap();
    for host in [
        "",
        ".",
        "..",
        ".local",
        "a..local",
        "db.internal..",
        ".corp.example",
        "localhost:8080",
        "localhost@evil.example",
        "evil.example@localhost",
        "user:pass@localhost",
        "localhost/",
        "http://localhost",
        "evil.example#.local",
        "evil.example?.local",
        "evil.example\\.local",
        "evil.example\0.local",
        "evil.example\t",
        " localhost",
        "local host",
        "local%68ost",
        "évil.local",
        "evil。local",
        "[127.0.0.1]",
        "[localhost]",
        "[::1",
        "::1]",
        "[[::1]]",
        "[::1]:80",
        "[::1].",
        "fe80::1%eth0",
        // addresses to whoever resolves them
        "2130706433",
        "134744072",
        "0x7f000001",
        "0X7F000001",
        "0x",
        "017700000001",
        "127.1",
        "10.1",
        "0x7f.1",
        "010.0.0.1",
        "10.0.0.256",
        "1.2.3.4.5",
        "example.0x1",
        "db.internal.7",
    ] {
        assert_eq!(mesh.zone(host), Zone::Outside, "{host:?}");
    }
    let label = "a".repeat(63);
    assert_eq!(mesh.zone(&label), Zone::Inside);
    assert_eq!(mesh.zone(&format!("{label}a")), Zone::Outside);
    for (length, zone) in [(253, Zone::Inside), (254, Zone::Outside)] {
        let first = "a".repeat(length - 3 * 64 - ".local".len());
        let name = format!("{first}.{label}.{label}.{label}.local");
        assert_eq!((name.len(), mesh.zone(&name)), (length, zone));
    }
}

#[test]
fn named_hosts() {
    let mesh = Mesh::new()
        .inside("*.Corp.Example.")
        .and_then(|mesh| mesh.allow("partner.example"))
        .and_then(|mesh| mesh.allow("203.0.113.7"))
        .and_then(|mesh| mesh.inside("100.64.0.0/10"))
        .and_then(|mesh| mesh.inside("[2001:db8::]/32"))
        .and_then(|mesh| mesh.allow("*.corp.example"))
        .unwrap();
    for (host, zone) in [
        ("users.corp.example", Zone::Inside),
        ("a.b.c.CORP.example.", Zone::Inside),
        ("corp.example", Zone::Outside),
        ("notcorp.example", Zone::Outside),
        ("x.notcorp.example", Zone::Outside),
        ("corp.example.evil.example", Zone::Outside),
        ("a..corp.example", Zone::Outside),
        ("partner.example", Zone::Allowed),
        ("PARTNER.example.", Zone::Allowed),
        ("a.partner.example", Zone::Outside),
        ("203.0.113.7", Zone::Allowed),
        ("::ffff:203.0.113.7", Zone::Allowed),
        ("203.0.113.8", Zone::Outside),
        ("100.64.0.0", Zone::Inside),
        ("100.127.255.255", Zone::Inside),
        ("100.128.0.0", Zone::Outside),
        ("[2001:db8:ffff::1]", Zone::Inside),
        ("2001:db9::1", Zone::Outside),
    ] {
        assert_eq!(mesh.zone(host), zone, "{host}");
    }
    // A clone is its own value.
    let wider = mesh.clone().inside("corp.example").unwrap();
    assert_eq!(wider.zone("corp.example"), Zone::Inside);
    assert_eq!(mesh.zone("corp.example"), Zone::Outside);
}

#[test]
fn patterns_are_checked_when_added() {
    use HostPatternErrorKind::{Network, NotAHost, Wildcard};
    for (pattern, kind) in [
        ("", NotAHost),
        (".", NotAHost),
        ("a..b", NotAHost),
        (".corp.example", NotAHost),
        ("corp.example:443", NotAHost),
        ("user@corp.example", NotAHost),
        ("corp example", NotAHost),
        ("bücher.example", NotAHost),
        ("2130706433", NotAHost),
        ("10.1", NotAHost),
        ("*", Wildcard),
        ("*.", Wildcard),
        ("*corp.example", Wildcard),
        ("pay*.example", Wildcard),
        ("a.*.example", Wildcard),
        ("*.*.example", Wildcard),
        ("*.10.0.0.1", Wildcard),
        ("10.*", Wildcard),
        ("https://corp.example", Network),
        ("corp.example/", Network),
        ("corp.example/8", Network),
        ("10.0.0.0/", Network),
        ("10.0.0.0/33", Network),
        ("10.0.0.0/+8", Network),
        ("10.0.0.0/8/8", Network),
        ("0.0.0.0/0", Network),
        ("::/129", Network),
    ] {
        let error = Mesh::new().allow(pattern).unwrap_err();
        assert_eq!((error.pattern(), error.kind()), (pattern, kind));
        assert!(error.to_string().contains(&format!("`{pattern}`")));
    }
}

#[test]
fn patterns_print_as_they_are_parsed() {
    for (pattern, printed) in [
        ("*.Corp.Example.", "*.corp.example"),
        ("Partner.example", "partner.example"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("100.64.0.0/10", "100.64.0.0/10"),
    ] {
        let pattern: HostPattern = pattern.parse().unwrap();
        assert_eq!(pattern.to_string(), printed);
        assert_eq!(printed.parse::<HostPattern>().unwrap(), pattern);
    }
}
