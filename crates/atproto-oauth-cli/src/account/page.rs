//! HTML page that the browser shows at the end of a login.
//!
//! The URL of the page holds an authorization code. So that the URL does not leak, the page loads
//! nothing, has no links, and forbids the `Referer` header with `Referrer-Policy: no-referrer`.

/// Builds the HTTP response, status line and headers included. Title and text are escaped.
pub(crate) fn response(status: &str, title: &str, text: &str) -> String {
    let (title, text) = (escape(title), escape(text));
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;\
         padding:0 1rem;color:#222;background:#fff}}@media(prefers-color-scheme:dark){{\
         body{{color:#ddd;background:#161616}}}}</style>\n<h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
    );
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Length: {length}\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
         Referrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Cache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// Escapes `text` for HTML, because an error text may quote the authorization server.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_is_escaped() {
        let page = response("200 OK", "a<b", "<script>alert('x')</script>&\"");
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
    }
}
