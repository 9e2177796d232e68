//! Parser of `WWW-Authenticate`: the authentication challenges of a rejected request.
//!
//! A response may have several such headers, and each header may hold several challenges. A comma
//! separates parameters as well as challenges. The parser assigns each parameter to its own
//! challenge. RFC 9110 section 11.6.1.

use http::{HeaderMap, header};

/// One challenge of a `WWW-Authenticate` header: a scheme with parameters or with a token68.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Challenge {
    /// Authentication scheme in lower case, for example `dpop`.
    pub scheme: String,
    /// Parameters as name and value, in the order of the header; the names are in lower case.
    pub params: Vec<(String, String)>,
    /// Token of schemes that have a single token instead of parameters, for example `Negotiate`.
    pub token68: Option<String>,
}

impl Challenge {
    /// Returns the value of the first parameter with this name; `name` must be in lower case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(param, _)| param == name).map(|(_, value)| value.as_str())
    }
}

/// Parses all challenges of a response. If a header is malformed, the rest of this header is
/// ignored; the challenges before the malformed part and the other headers are kept.
///
/// ```
/// # let mut headers = http::HeaderMap::new();
/// headers.insert(
///     "www-authenticate",
///     r#"Bearer realm="x", DPoP algs="ES256", error="use_dpop_nonce""#.parse().unwrap(),
/// );
/// let challenges = atproto_dpop::challenges(&headers);
/// assert_eq!(challenges[0].param("error"), None);
/// assert_eq!(challenges[1].scheme, "dpop");
/// assert_eq!(challenges[1].param("error"), Some("use_dpop_nonce"));
/// ```
pub fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for line in headers.get_all(header::WWW_AUTHENTICATE) {
        // A description may hold any bytes. Replacing invalid UTF-8 is safe, because only ASCII is
        // compared.
        let line = String::from_utf8_lossy(line.as_bytes());
        let mut rest = Rest(&line);
        while rest.challenge(&mut challenges).is_some() {}
    }
    challenges
}

/// Rest of the header that is not parsed yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Parses one challenge; `None` at the end of the header and at a malformed part.
    fn challenge(&mut self, challenges: &mut Vec<Challenge>) -> Option<()> {
        self.skip_separators();
        let scheme = self.token()?;
        challenges.push(Challenge { scheme: scheme.to_ascii_lowercase(), ..Challenge::default() });
        let challenge = challenges.last_mut()?;
        if !self.0.is_empty() && !self.0.starts_with([' ', '\t', ',']) {
            return None;
        }
        self.skip_space();
        if let Some(token68) = self.token68() {
            challenge.token68 = Some(token68.to_owned());
            return Some(());
        }
        // A name without `=` is the scheme of the next challenge, so it is left for the next call.
        loop {
            let before = self.0;
            self.skip_separators();
            let Some(name) = self.token() else { return (self.0.is_empty()).then_some(()) };
            self.skip_space();
            if !self.eat('=') {
                self.0 = before;
                return Some(());
            }
            self.skip_space();
            let value = self.value()?;
            challenge.params.push((name.to_ascii_lowercase(), value));
            self.skip_space();
            if !self.0.is_empty() && !self.0.starts_with(',') {
                return None;
            }
        }
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn skip_separators(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
    }

    fn eat(&mut self, expected: char) -> bool {
        let rest = self.0.strip_prefix(expected);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|char| !accept(char)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> Option<&'a str> {
        let token = self.take_while(is_token_char);
        (!token.is_empty()).then_some(token)
    }

    /// Parses a token68. After a token68 comes a comma or the end of the header, which
    /// distinguishes it from the name of a parameter.
    fn token68(&mut self) -> Option<&'a str> {
        let before = self.0;
        let text = self.take_while(|char| char.is_ascii_alphanumeric() || "-._~+/".contains(char));
        let padding = self.take_while(|char| char == '=');
        self.skip_space();
        let alone = self.0.is_empty() || self.0.starts_with(',');
        if text.is_empty() || !alone {
            self.0 = before;
            return None;
        }
        Some(before.split_at(text.len() + padding.len()).0)
    }

    fn value(&mut self) -> Option<String> {
        if !self.eat('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((index, char)) = chars.next() {
            match char {
                '"' => {
                    self.0 = self.0.split_at(index + 1).1;
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                char => value.push(char),
            }
        }
        None
    }
}

fn is_token_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::WWW_AUTHENTICATE, line.parse().unwrap());
        }
        challenges(&headers)
    }

    /// Formats challenges as `scheme(name=value;…)` or `scheme:token68`, separated by spaces.
    fn shown(lines: &[&str]) -> String {
        let show = |challenge: &Challenge| match &challenge.token68 {
            Some(token) => format!("{}:{token}", challenge.scheme),
            None => {
                let params: Vec<_> = challenge
                    .params
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("{}({})", challenge.scheme, params.join(";"))
            }
        };
        parse(lines).iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_is_attributed_to_its_scheme() {
        // Rule H-04
        for (line, expected) in [
            ("DPoP", "dpop()"),
            ("dPoP error=use_dpop_nonce", "dpop(error=use_dpop_nonce)"),
            (r#"DPoP error="use_dpop_nonce""#, "dpop(error=use_dpop_nonce)"),
            (r#"DPoP  error = "a" ,  algs="ES256 ES384""#, "dpop(error=a;algs=ES256 ES384)"),
            (
                r#"Bearer error="invalid_token", DPoP algs="ES256""#,
                "bearer(error=invalid_token) dpop(algs=ES256)",
            ),
            (
                r#"DPoP algs="ES256", Bearer error="invalid_token""#,
                "dpop(algs=ES256) bearer(error=invalid_token)",
            ),
            ("Basic, DPoP error=x", "basic() dpop(error=x)"),
            ("Negotiate YWJj==, DPoP error=x", "negotiate:YWJj== dpop(error=x)"),
            ("Negotiate YWJj", "negotiate:YWJj"),
            (r#"DPoP error="a\"b\\c, DPoP error=\"d""#, r#"dpop(error=a"b\c, DPoP error="d)"#),
            (r#"DPoP error="", x=y"#, "dpop(error=;x=y)"),
            (",, DPoP error=x,,", "dpop(error=x)"),
            ("DPoP\terror=x", "dpop(error=x)"),
            ("DPoP ERROR=x", "dpop(error=x)"),
            ("", ""),
        ] {
            assert_eq!(shown(&[line]), expected, "{line}");
        }
    }

    #[test]
    fn several_lines_are_read_one_after_another() {
        assert_eq!(shown(&["Bearer error=a", "DPoP error=b"]), "bearer(error=a) dpop(error=b)");
    }

    #[test]
    fn a_malformed_header_does_not_affect_other_headers() {
        assert_eq!(shown(&[r#"DPoP error="open"#, "Bearer error=x"]), "dpop() bearer(error=x)");
        assert_eq!(shown(&["=x, DPoP error=y"]), "");
        assert_eq!(shown(&["DPoP error=x y=z, Bearer a=b"]), "dpop(error=x)");
        assert_eq!(shown(&["DPoP(error=x"]), "dpop()");
    }
}
