//! A request that can be changed in every detail before it is sent.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::jwt::{Jwt, Key};
use super::lab::Lab;
use super::seen::Answer;
use super::target::Server;

/// A request that is valid at first; a case changes it to make it invalid.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) server: Server,
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// Text in parentheses at the end of the line; empty for none.
    pub(crate) label: String,
    /// Names of the response headers that the line shows.
    pub(crate) shown: Vec<&'static str>,
    headers: HeaderMap,
    fields: Vec<(String, String)>,
    body: Option<Bytes>,
    proof: Option<Jwt>,
    assertion: Option<Jwt>,
}

impl Draft {
    pub(crate) fn new(server: Server, method: Method, path: &str) -> Self {
        Self {
            server,
            method,
            path: path.to_owned(),
            label: String::new(),
            shown: Vec::new(),
            headers: HeaderMap::new(),
            fields: Vec::new(),
            body: None,
            proof: None,
            assertion: None,
        }
    }

    /// Sends the request, and adds the line of its response.
    pub(crate) fn send(self, lab: &mut Lab<'_>) -> Answer {
        lab.send(&self, true)
    }

    /// Sends the request without a line, as preparation of the case.
    pub(crate) fn send_quietly(self, lab: &mut Lab<'_>) -> Answer {
        lab.send(&self, false)
    }

    /// Sets the text in parentheses at the end of the line.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Shows a response header in the line.
    pub(crate) fn show(mut self, name: &'static str) -> Self {
        self.shown.push(name);
        self
    }

    /// Replaces path and query; the proof keeps its `htu`.
    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sets a header, in place of all headers with that name.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    /// Adds a header, beside those with that name.
    pub(crate) fn one_more_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn authorization(self, value: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), value)
    }

    pub(crate) fn no_authorization(mut self) -> Self {
        self.headers.remove(AUTHORIZATION);
        self
    }

    /// Sets a form field, in place of all fields with that name.
    pub(crate) fn field(self, name: &str, value: &str) -> Self {
        self.no_field(name).one_more_field(name, value)
    }

    pub(crate) fn one_more_field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn no_field(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    /// Sends the form fields as a JSON object.
    pub(crate) fn json_fields(self) -> Self {
        let fields = self.with_assertion().into_iter().map(|(name, value)| (name, value.into()));
        let json: Value = fields.collect::<serde_json::Map<_, _>>().into();
        self.body("application/json", json.to_string())
    }

    /// Sends the form with another content type, or without one.
    pub(crate) fn content_type(self, content_type: Option<&str>) -> Self {
        let form = self.form();
        match content_type {
            Some(content_type) => self.body(content_type, form),
            None => Self { body: Some(form.into()), ..self },
        }
    }

    /// Keeps the body, and replaces or removes its content type.
    pub(crate) fn typed(mut self, content_type: Option<&str>) -> Self {
        self.headers.remove(CONTENT_TYPE);
        match content_type {
            Some(content_type) => self.header(CONTENT_TYPE.as_str(), content_type),
            None => self,
        }
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// Sets the proof. A header `dpop` that the case sets is sent instead of it.
    pub(crate) fn proof(mut self, proof: Jwt) -> Self {
        self.proof = Some(proof);
        self
    }

    /// Removes the proof.
    pub(crate) fn no_proof(mut self) -> Self {
        self.proof = None;
        self
    }

    /// Sets a claim of the proof; `null` removes it.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.proof = self.proof.map(|proof| proof.claim(name, value));
        self
    }

    /// Sets a member of the proof's header; `null` removes it.
    pub(crate) fn jose(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.proof = self.proof.map(|proof| proof.jose(name, value));
        self
    }

    /// Signs the proof with another key, and embeds that key in its header.
    pub(crate) fn key(self, key: &Key) -> Self {
        let mut draft = self.jose("jwk", key.public_jwk());
        draft.proof = draft.proof.map(|proof| proof.key(key));
        draft
    }

    /// Returns the signed proof, for changes of its serialization.
    pub(crate) fn signed_proof(&self) -> String {
        self.proof.as_ref().unwrap().signed()
    }

    /// Returns the signed client assertion.
    pub(crate) fn signed_assertion(&self) -> String {
        self.assertion.as_ref().unwrap().signed()
    }

    /// Sets the client assertion.
    pub(crate) fn assertion(mut self, assertion: Jwt) -> Self {
        self.assertion = Some(assertion);
        self
    }

    /// Changes the client assertion.
    pub(crate) fn asserting(mut self, change: impl FnOnce(Jwt) -> Jwt) -> Self {
        self.assertion = self.assertion.map(change);
        self
    }

    pub(crate) fn no_assertion(mut self) -> Self {
        self.assertion = None;
        self
    }

    pub(super) fn request(&self, origin: &str) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone().unwrap_or_default());
        *request.uri_mut() = format!("{origin}{}", self.path).parse().unwrap();
        request.method_mut().clone_from(&self.method);
        request.headers_mut().clone_from(&self.headers);
        if self.body.is_none() && self.method == Method::POST {
            *request.body_mut() = self.form().into();
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form);
        }
        if let (Some(proof), false) = (&self.proof, self.headers.contains_key("dpop")) {
            request.headers_mut().insert("dpop", proof.signed().parse().unwrap());
        }
        request
    }

    fn form(&self) -> String {
        Serializer::new(String::new()).extend_pairs(self.with_assertion()).finish()
    }

    fn with_assertion(&self) -> Vec<(String, String)> {
        let mut fields = self.fields.clone();
        let mut add = |name: &str, value: String| {
            if !fields.iter().any(|(field, _)| field == name) {
                fields.push((name.to_owned(), value));
            }
        };
        if let Some(assertion) = &self.assertion {
            add("client_assertion_type", ASSERTION_TYPE.to_owned());
            add("client_assertion", assertion.signed());
        }
        fields
    }
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
