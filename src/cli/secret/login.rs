//! Names with their passwords outside of addresses: `Basic dXNlcjpwYXNz`, `curl -u NAME:PASSWORD`, `NAME:PASSWORD@tcp(HOST)`.

use super::HIDDEN;

/// Flags of `curl` and its like that take a name with a password.
pub(super) const FLAGS: [&str; 3] = ["-u", "--user", "--proxy-user"];
/// The most bytes of a name that has a password.
const LONGEST_NAME: usize = 256;
/// The most letters of what stands before the host of a driver's address: `tcp`, `cloudsqlconn`.
const LONGEST_PROTOCOL: usize = 16;

/// Whether a word is a name with a password, and neither an address nor the numbers of a user and a group.
pub(super) fn is_login(word: &str) -> bool {
    let Some((name, password)) = name_end(word).and_then(|at| Some((word.get(..at)?, word.get(at + 1..)?))) else {
        return false;
    };
    let is_name =
        !name.is_empty() && !name.contains(['/', '=', '-']) && !name.bytes().all(|byte| byte.is_ascii_digit());
    is_name && !password.is_empty() && !password.starts_with("//") && !password.starts_with(HIDDEN)
}

/// Where the name of a login ends.
fn name_end(word: &str) -> Option<usize> {
    word.bytes().take(LONGEST_NAME).position(|byte| byte == b':')
}

/// What a header `Authorization` has behind `Basic`, when it is a name with a password.
pub(super) fn basic(text: &str) -> Option<(usize, usize)> {
    const WORD: &str = "basic";
    let mut before = b' ';
    text.bytes().enumerate().find_map(|(at, byte)| {
        let begins = !before.is_ascii_alphanumeric() && matches!(byte, b'B' | b'b');
        before = byte;
        let behind = text.get(at..).filter(|_| begins)?;
        behind.get(..WORD.len()).filter(|word| word.eq_ignore_ascii_case(WORD))?;
        let behind = behind.get(WORD.len()..)?;
        let code = behind.trim_start_matches(' ');
        let start = text.len() - code.len();
        let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
        let code = code.get(..code.find(|c| !is_sign(c)).unwrap_or(code.len())).filter(|_| behind.starts_with(' '))?;
        let padding = text.get(start + code.len()..)?.bytes().take_while(|byte| *byte == b'=').count();
        is_pair(code).then_some((start, start + code.len() + padding))
    })
}

/// Whether a text in Base64 stands for a name, `:` and a password.
fn is_pair(code: &str) -> bool {
    let (mut bits, mut count, mut has_colon) = (0_u32, 0, false);
    for sign in code.bytes() {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        (bits, count) = ((bits << 6 | u32::from(value)) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            let byte = (bits >> count & 0xff) as u8;
            if byte.is_ascii_control() {
                return false;
            }
            has_colon |= byte == b':';
        }
    }
    has_colon
}

/// The name and password behind a flag of `curl`.
pub(super) fn of_flag(text: &str) -> Option<(usize, usize)> {
    text.match_indices("-u").find_map(|(at, sign)| {
        let rest = text.get(at + sign.len()..)?;
        let rest = rest.strip_prefix("ser").unwrap_or(rest);
        let value = rest.strip_prefix([' ', '='])?.trim_start_matches([' ', '"', '\'', '\\']);
        let flag = text.get(..text.len() - rest.len())?;
        let start = text.len() - value.len();
        let is_flag = FLAGS.iter().any(|name| {
            let before = flag.strip_suffix(name).map(|before| before.chars().next_back());
            before.is_some_and(|before| before.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_'))
        });
        // A name ends soon: a long text is read once.
        let name = value.get(..name_end(value)?).filter(|name| is_flag && !name.contains(ends_word))?;
        let password = value.get(name.len()..)?;
        let length = name.len() + password.find(ends_word).unwrap_or(password.len());
        is_login(value.get(..length)?).then_some((start, start + length))
    })
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\')
}

/// The name and password of a driver's address: `NAME:PASSWORD@tcp(HOST:PORT)/DATABASE`.
pub(super) fn of_driver(text: &str) -> Option<(usize, usize)> {
    let mut floor = 0;
    text.match_indices('@').find_map(|(at, _)| {
        let behind = text.get(at + 1..)?;
        let protocol = behind.bytes().take(LONGEST_PROTOCOL).take_while(u8::is_ascii_alphanumeric).count();
        if protocol == 0 || !behind.get(protocol..)?.starts_with('(') {
            return None;
        }
        // What stands before an earlier one is none of this one's: a long text is read once.
        let floor = std::mem::replace(&mut floor, at + 1);
        let before = text.get(floor..at)?;
        let begin =
            before.rfind(ends_word).map_or(0, |sign| sign + before[sign..].chars().next().map_or(0, char::len_utf8));
        let login = before.get(begin..)?;
        let colon = login.find(':')?;
        let name = login.get(..colon)?.rfind(['=', ',', '[', '{', '(']).map_or(0, |sign| sign + 1);
        let start = floor + begin + name;
        let is_hidden = text.get(start..at).is_none_or(|login| login.contains("://") || login.ends_with(HIDDEN));
        (!is_hidden && name < colon).then_some((start, at))
    })
}

#[cfg(test)]
mod tests {
    use super::super::address::without_passwords;

    #[test]
    fn a_name_with_its_password_is_hidden() {
        for (text, want) in [
            ("Basic dXNlcjpwdw==", "Basic •••••"),
            ("a: \"basic dXNlcjpwYXNzd29yZA==\", b", "a: \"basic •••••\", b"),
            ("curl -u ann:pw https://h/a", "curl -u ••••• https://h/a"),
            ("curl --user 'ann:p w' x", "curl --user '••••• w' x"),
            ("--user=ann:pw", "--user=•••••"),
            ("curl --proxy-user ann:pw", "curl --proxy-user •••••"),
            ("ann:pw@tcp(h:3306)/db", "•••••@tcp(h:3306)/db"),
            ("dsn=ann:p=w:x@unix(/run/db)/db", "dsn=•••••@unix(/run/db)/db"),
            ("a ann:p@w@tcp(h)/db?b=ann:pw@tcp(h)", "a •••••@tcp(h)/db?b=•••••@tcp(h)"),
        ] {
            assert_eq!(without_passwords(text), want);
            assert_eq!(without_passwords(want), want);
        }
    }

    #[test]
    fn what_is_no_name_with_a_password_is_shown() {
        for text in [
            "Basic authentication",
            "Basic",
            "basic aGVsbG8gd29ybGQ=",
            "docker run -u 1000:1000 a",
            "docker run --user=1000:docker a",
            "git push -u origin main",
            "curl -u https://h/a",
            "sort -u a",
            "--user-agent a:b",
            "a-u b:c",
            "mail@example (of a:b)",
            "@tcp(h)",
            "ann@tcp(h:3306)/db",
        ] {
            assert_eq!(without_passwords(text), text);
        }
    }
}
