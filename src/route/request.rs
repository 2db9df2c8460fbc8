//! A request as the proxies see it that a route is written for.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use thiserror::Error;

/// Methods of HTTP, to tell one that was written in small letters.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Why words are no request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Nothing, or more than a method and a path.
    #[error("a request is a method and a path, or a path alone, found {0} words")]
    Words(usize),
    /// A method that no request can have.
    #[error("`{0}` is no method of HTTP")]
    Method(String),
    /// A path that begins nowhere.
    #[error("a path begins with `/`, a URL with `http://` or `https://`, found `{0}`")]
    Path(String),
    /// A URL that no request of HTTP is for: its scheme, and what stands behind it.
    #[error("a URL begins with `http://` or `https://`, found the scheme `{scheme}`")]
    Scheme {
        /// What stands before `://`.
        scheme: String,
        /// What stands behind it.
        rest: String,
    },
    /// A query without the path before it.
    #[error("a query stands behind a path, found `{0}` alone")]
    Query(String),
    /// What asks a server about itself; its method.
    #[error("`*` asks a server about itself, and no rule of a route is for it")]
    Server(String),
    /// A character that no request can have in its path.
    #[error("a path must not contain the character {0:?}")]
    Character(char),
    /// What a browser keeps to itself.
    #[error("a request has no fragment: `#` and what follows stays in the browser")]
    Fragment,
    /// A name that no host can have.
    #[error("`{0}` is no host")]
    Host(String),
    /// A name and a password, which no request carries in its address.
    #[error("an address has no name and password here")]
    User,
    /// A port that does not exist.
    #[error("`{0}` is no port: ports are 1 to 65535")]
    Port(String),
    /// A header without its value.
    #[error("`{0}` is no header: a name, `=` or `:`, and a value")]
    Header(String),
    /// A name that no header can have.
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    /// A character that no header can have.
    #[error("the value of a header must not contain the character {0:?}")]
    HeaderValue(char),
}

impl RequestError {
    /// How to repair it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            RequestError::Words(_) => "write `POST /v2/models/wisdom/infer`, blanks in a path as `%20`".into(),
            RequestError::Method(found) if METHODS.contains(&found.to_ascii_uppercase().as_str()) => {
                format!("methods are compared as they are written: write `{}`", found.to_ascii_uppercase())
            }
            RequestError::Method(_) => "write one such as `GET` or `POST`".into(),
            RequestError::Path(found) => format!("write `/{found}`, or `http://{found}` when it begins with a host"),
            RequestError::Scheme { rest, .. } => format!("write `http://{rest}`"),
            RequestError::Query(found) => format!("write `/{found}`"),
            RequestError::Server(method) => format!("name a path: write `{method} /`"),
            RequestError::Character(character) => format!("write it as `{}`", escaped(*character)),
            RequestError::Header(_) => "write `traffic=test`, or `traffic: test`".into(),
            RequestError::HeaderName(name) if name.starts_with(':') => {
                "the parts of a request are no headers here: name them with `--request` and `--host`".into()
            }
            RequestError::User => {
                "leave out what stands before `@`; a request carries it in the header `authorization`".into()
            }
            RequestError::Host(found) if found.contains([':', '[', ']']) => {
                let plain = found.replace(['[', ']'], "");
                let address = if plain.parse::<Ipv6Addr>().is_ok() { plain } else { "::1".to_owned() };
                format!("write an address of IPv6 in brackets, its port behind them: `[{address}]`, `[{address}]:8080`")
            }
            RequestError::Fragment
            | RequestError::Host(_)
            | RequestError::Port(_)
            | RequestError::HeaderName(_)
            | RequestError::HeaderValue(_) => return None,
        };
        Some(hint)
    }
}

fn escaped(character: char) -> String {
    character.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What a proxy knows of a request when it looks for its route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Compared as it is.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The header `Host`, with a port only where it is not the scheme's own; none where nobody said.
    pub host: Option<String>,
    /// The port that it is sent to; none where nobody said.
    pub port: Option<u16>,
    /// Without the query.
    pub path: String,
    /// What stands behind `?`.
    pub query: Option<String>,
    /// By their names in small letters; several values of one header are joined by commas, as Envoy compares them.
    pub headers: BTreeMap<String, String>,
}

impl HttpRequest {
    /// Reads `[METHOD] PATH` or `[METHOD] URL`; the method is `GET` when absent.
    ///
    /// # Errors
    ///
    /// All variants of [`RequestError`] but those of headers.
    pub fn parse(text: &str) -> Result<HttpRequest, RequestError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (method, target) = match words.as_slice() {
            [target] => ("GET", *target),
            [method, target] => (*method, *target),
            words => return Err(RequestError::Words(words.len())),
        };
        // A method of one's own is allowed, one that is nearly right a slip.
        if !method.bytes().all(is_token)
            || METHODS.contains(&method.to_ascii_uppercase().as_str()) && !METHODS.contains(&method)
        {
            return Err(RequestError::Method(method.to_owned()));
        }
        let (scheme, rest) = match target.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some("http"), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some("https"), rest),
            Some((scheme, rest)) if is_scheme(scheme) => {
                return Err(RequestError::Scheme { scheme: scheme.to_owned(), rest: rest.to_owned() });
            }
            _ => (None, target),
        };
        let (authority, target) = match scheme {
            None => ("", rest),
            Some(_) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
        };
        let target =
            if scheme.is_some() && !target.starts_with('/') { format!("/{target}") } else { target.to_owned() };
        match target.chars().next() {
            Some('/') => {}
            Some('?') => return Err(RequestError::Query(target)),
            _ if target == "*" => return Err(RequestError::Server(method.to_owned())),
            _ => return Err(RequestError::Path(target)),
        }
        if target.contains('#') {
            return Err(RequestError::Fragment);
        }
        if let Some(character) = target.chars().find(|character| !character.is_ascii_graphic()) {
            return Err(RequestError::Character(character));
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target, None),
        };
        let mut request = HttpRequest {
            method: method.to_owned(),
            scheme: scheme.unwrap_or("http").to_owned(),
            host: None,
            port: None,
            path,
            query,
            headers: BTreeMap::new(),
        };
        if scheme.is_some() {
            request.send_to(authority)?;
        }
        Ok(request)
    }

    /// Names the host that it is sent to, as `HOST` or `HOST:PORT`; the port is the scheme's own when absent.
    ///
    /// # Errors
    ///
    /// [`RequestError::Host`], [`RequestError::Port`] and [`RequestError::User`].
    pub fn send_to(&mut self, authority: &str) -> Result<(), RequestError> {
        if authority.contains('@') {
            return Err(RequestError::User);
        }
        if authority.contains('[') != authority.contains(']') {
            return Err(RequestError::Host(authority.to_owned()));
        }
        let own = if self.scheme == "https" { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let number = port.parse().ok().filter(|number| *number > 0 && !port.starts_with('+'));
                (host, number.ok_or_else(|| RequestError::Port(port.to_owned()))?)
            }
            _ => (authority, own),
        };
        if !is_host(host) {
            return Err(RequestError::Host(authority.to_owned()));
        }
        self.host = Some(if port == own { host.to_owned() } else { format!("{host}:{port}") });
        self.port = Some(port);
        Ok(())
    }

    /// Adds a header, written as `NAME=VALUE` or `NAME: VALUE`. The header `Host` is where it is sent to.
    ///
    /// # Errors
    ///
    /// The variants of [`RequestError`] that speak of headers, and of hosts for the header `Host`.
    pub fn add_header(&mut self, text: &str) -> Result<(), RequestError> {
        // The colon before a name is its own.
        let begin = usize::from(text.starts_with(':'));
        let parts = text.get(begin..).and_then(|rest| rest.split_once(['=', ':']));
        let (name, value) = parts.ok_or_else(|| RequestError::Header(text.to_owned()))?;
        if begin > 0 {
            return Err(RequestError::HeaderName(format!(":{name}")));
        }
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(RequestError::HeaderName(name.to_owned()));
        }
        if let Some(character) = value.chars().find(|character| character.is_control() && *character != '\t') {
            return Err(RequestError::HeaderValue(character));
        }
        if name.eq_ignore_ascii_case("host") {
            return self.send_to(value);
        }
        add(&mut self.headers, &name.to_ascii_lowercase(), value);
        Ok(())
    }

    /// Path and query, as the first line of the request has them.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Whether the path has elements that proxies resolve before they compare it.
    pub fn has_dots(&self) -> bool {
        self.path.split('/').any(|element| element == "." || element == "..") || self.path.contains('\\')
    }

    /// The host without its port, in small letters and without the dot at its end, as proxies look for it.
    pub(super) fn hostname(&self) -> String {
        let authority = self.host.as_deref().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => host,
            _ => authority,
        };
        host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
    }

    /// A header as matches of Istio see it, those included that stand for the parts of the request.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        match name {
            ":method" => Some(self.method.clone()),
            ":scheme" => Some(self.scheme.clone()),
            ":authority" | "host" => self.host.clone(),
            ":path" => Some(self.target()),
            _ => self.headers.get(name).cloned(),
        }
    }

    /// The first value of a query parameter, as it is written: Envoy resolves no `%20` and no `+`.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let parts = self.query.as_deref()?.split('&');
        let pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
        pairs.filter(|(found, _)| !found.is_empty()).find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// Adds a value to those that a header has.
pub(super) fn add(headers: &mut BTreeMap<String, String>, name: &str, value: &str) {
    headers
        .entry(name.to_owned())
        .and_modify(|before| {
            before.push(',');
            before.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// Whether a text is a host by its form: a name, an address, or one of IPv6 in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
    }
}

/// Whether a text is the scheme of a URL, by its form.
fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

/// Whether a byte may stand in a token of HTTP: a method, the name of a header.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
