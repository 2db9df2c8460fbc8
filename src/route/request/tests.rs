use proptest::prelude::*;

use super::*;

fn line(text: &str) -> String {
    match HttpRequest::parse(text) {
        Ok(request) => {
            let HttpRequest { method, scheme, host, port, .. } = &request;
            format!("{method} {scheme} {host:?} {port:?} {}", request.target())
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_request_is_a_method_and_a_path_or_a_url() {
    assert_eq!(line("/"), "GET http None None /");
    assert_eq!(line(" POST  /a?b=c "), "POST http None None /a?b=c");
    assert_eq!(line("PURGE https://Shop.example/a"), "PURGE https Some(\"Shop.example\") Some(443) /a");
    assert_eq!(line("http://shop:8033?a"), "GET http Some(\"shop:8033\") Some(8033) /?a");
    assert_eq!(line("http://shop:80"), "GET http Some(\"shop\") Some(80) /");
    assert_eq!(line("http://[::1]/a"), "GET http Some(\"[::1]\") Some(80) /a");
    assert_eq!(line("http://[2001:db8::1]:8080/"), "GET http Some(\"[2001:db8::1]:8080\") Some(8080) /");
}

#[test]
fn what_is_no_request_is_refused() {
    for (text, told) in [
        ("", "a request is a method and a path, or a path alone, found 0 words"),
        ("GET /a HTTP/1.1", "a request is a method and a path, or a path alone, found 3 words"),
        ("post /", "`post` is no method of HTTP"),
        ("P(ST /", "`P(ST` is no method of HTTP"),
        ("GET shop/a", "a path begins with `/`, a URL with `http://` or `https://`, found `shop/a`"),
        ("ftp://shop/a", "a URL begins with `http://` or `https://`, found the scheme `ftp`"),
        ("a/b://shop", "a path begins with `/`, a URL with `http://` or `https://`, found `a/b://shop`"),
        ("GET ?version=2", "a query stands behind a path, found `?version=2` alone"),
        ("OPTIONS *", "`*` asks a server about itself, and no rule of a route is for it"),
        ("OPTIONS *a", "a path begins with `/`, a URL with `http://` or `https://`, found `*a`"),
        ("/ä", "a path must not contain the character 'ä'"),
        ("/a#b", "a request has no fragment: `#` and what follows stays in the browser"),
        ("http:///a", "`` is no host"),
        ("http://a b", "`http://a` is no method of HTTP"),
        ("http://[::1/x", "`[::1` is no host"),
        ("http://::1]/x", "`::1]` is no host"),
        ("http://::1/x", "`::1` is no host"),
        ("http://[::1]x/", "`[::1]x` is no host"),
        ("http://[a]/", "`[a]` is no host"),
        ("http://a:b:80/", "`a:b:80` is no host"),
        ("http://a:0/", "`0` is no port: ports are 1 to 65535"),
        ("http://a:x/", "`x` is no port: ports are 1 to 65535"),
        ("http://ann:secret@a/", "an address has no name and password here"),
        ("http://a@b/", "an address has no name and password here"),
    ] {
        assert_eq!(line(text), told, "{text}");
    }
}

#[test]
fn what_is_no_request_is_answered_with_the_form_to_write() {
    for (text, form) in [
        ("ftp://shop/a", "/a"),
        ("POST grpc://shop:8033/a?b", "/a?b"),
        ("GET ?version=2", "/?version=2"),
        ("OPTIONS *", "/"),
    ] {
        let hint = HttpRequest::parse(text).unwrap_err().hint().unwrap();
        let written = hint.split('`').nth(1).unwrap();
        assert_eq!(HttpRequest::parse(written).unwrap().target(), form, "{hint}");
    }
}

#[test]
fn a_host_that_is_nearly_an_address_is_answered_with_the_form_to_write() {
    for (authority, hint) in [
        ("[::1", Some("write an address of IPv6 in brackets, its port behind them: `[::1]`, `[::1]:8080`")),
        ("fe80::2", Some("write an address of IPv6 in brackets, its port behind them: `[fe80::2]`, `[fe80::2]:8080`")),
        ("[a]", Some("write an address of IPv6 in brackets, its port behind them: `[::1]`, `[::1]:8080`")),
        ("a,b", None),
    ] {
        let error = HttpRequest::parse("/").unwrap().send_to(authority).unwrap_err();
        assert_eq!((error.clone(), error.hint().as_deref()), (RequestError::Host(authority.to_owned()), hint));
    }
}

#[test]
fn headers_of_one_name_are_one_header_with_several_values() {
    let mut request = HttpRequest::parse("/").unwrap();
    for text in ["Traffic=test", "traffic: a=b", "x-empty=", "Host: shop:81"] {
        request.add_header(text).unwrap();
    }
    assert_eq!(request.header("traffic").as_deref(), Some("test,a=b"));
    assert_eq!(request.header("x-empty").as_deref(), Some(""));
    assert_eq!((request.host.as_deref(), request.port), (Some("shop:81"), Some(81)));
    for text in ["traffic", "=a", ":path=/", "a b=c", "a=b\nc"] {
        assert!(request.add_header(text).is_err(), "{text}");
    }
}

#[test]
fn a_query_parameter_has_its_first_value_as_it_is_written() {
    let request = HttpRequest::parse("/?a=1&b&a=2&c=x%20y=z&").unwrap();
    let found = ["a", "b", "c", "d", ""].map(|name| request.parameter(name));
    assert_eq!(found, [Some("1"), Some(""), Some("x%20y=z"), None, None]);
}

proptest! {
    #[test]
    fn no_words_make_it_panic(text in ".*|(GET|/|http|:|://|[a-z]|\\[|\\]|\\?|#| |@|[0-9])*", header in ".*") {
        if let Ok(mut request) = HttpRequest::parse(&text) {
            let _ = request.add_header(&header);
            request.hostname();
        }
    }
}
