"""/token, /revoke, /tokeninfo, userinfo, OpenID configuration (OAuth 3.1 to 3.8)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from sandbox.errors import ApiError, bad_credential, missing_credential, missing_scope
from sandbox.messages import Json, Request, Response, json_response
from sandbox.oauth.clients import Client
from sandbox.oauth.errors import TokenError, invalid_grant
from sandbox.oauth.keys import b64
from sandbox.oauth.state import SIGN_IN, Code, Token

if TYPE_CHECKING:
    from sandbox.oauth.routes import OAuth

Exchange = Callable[["OAuth", Client, dict[str, str], Request], Json]

ISSUER = "https://accounts.google.com"
_EMAIL = "https://www.googleapis.com/auth/userinfo.email"
_PROFILE = "https://www.googleapis.com/auth/userinfo.profile"
_NO_STORE = [("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")]


def token_endpoint(oauth: OAuth, request: Request) -> Response:
    """`POST /token`, for a code or a refresh token (3.3, 3.4)."""
    form = request.form()
    try:
        client = _client(oauth, request, form)
        answer = _by_grant_type(form)(oauth, client, form, request)
    except TokenError as error:
        return error.response()
    response = json_response(answer)
    response.headers += _NO_STORE
    return response


def _by_grant_type(form: dict[str, str]) -> Exchange:
    kind = form.get("grant_type", "")
    if kind == "authorization_code":
        return _from_code
    if kind == "refresh_token":
        return _from_refresh
    if not kind:
        raise TokenError("invalid_request", "Required parameter is missing: grant_type")
    raise TokenError("unsupported_grant_type", f"Invalid grant_type: {kind}")


def revoke_endpoint(oauth: OAuth, request: Request) -> Response:
    """200, or 400 when the token is dead already (3.7)."""
    given = request.params().get("token", [""])[-1] or request.form().get("token", "")
    if oauth.authority.revoke(given):
        return json_response({})
    body = {"error": "invalid_token", "error_description": "Token expired or revoked"}
    return json_response(body, 400)


def _client(oauth: OAuth, request: Request, form: dict[str, str]) -> Client:
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    basic = request.headers.get("authorization", "")
    if basic.startswith("Basic "):
        try:
            pair = base64.b64decode(basic[6:]).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise TokenError("invalid_client", "Unauthorized", code=401)
        name, _, word = pair.partition(":")
        client_id, secret = unquote(name), unquote(word)
    if not client_id:
        raise TokenError(
            "invalid_request", "Could not determine client ID from request."
        )
    client = oauth.clients.get(client_id)
    if client is None:
        raise TokenError("invalid_client", "The OAuth client was not found.", code=401)
    if not secret:
        raise TokenError("invalid_request", "client_secret is missing.")
    if not oauth.clients.secret_fits(client, secret):
        raise TokenError("invalid_client", "Unauthorized", code=401)
    return client


def _from_code(
    oauth: OAuth, client: Client, form: dict[str, str], request: Request
) -> Json:
    text = form.get("code", "")
    if not text:
        raise TokenError("invalid_request", "Missing required parameter: code")
    code = oauth.authority.use_code(text)
    if code is None:
        raise invalid_grant(
            "Malformed auth code." if text[:2] != "4/" else "Bad Request"
        )
    if code.client != client.id:
        raise TokenError("unauthorized_client", "Unauthorized", code=401)
    if form.get("redirect_uri", "") != code.redirect:
        raise TokenError("redirect_uri_mismatch", "Bad Request")
    _check_verifier(code, form.get("code_verifier"))
    request.account = code.account
    scopes = code.scopes
    access = oauth.authority.issue_access(
        client.id, client.project, code.account, scopes
    )
    answer = _token_answer(oauth, access, scopes)
    if code.offline:
        answer["refresh_token"] = oauth.authority.issue_refresh(
            client.id, client.project, code.account, scopes
        )
        if oauth.switches.oauth_testing and set(scopes) - SIGN_IN:
            answer["refresh_token_expires_in"] = 604_799
    if "openid" in scopes:
        answer["id_token"] = id_token(
            oauth, client.id, code.account, scopes, (access, code.nonce)
        )
    return answer


def _check_verifier(code: Code, verifier: str | None) -> None:
    if not code.challenge:
        return
    if not verifier:
        raise invalid_grant("Missing code verifier.")
    expected = verifier
    if code.challenge_method == "S256":
        expected = b64(hashlib.sha256(verifier.encode()).digest())
    if expected != code.challenge:
        raise invalid_grant("Invalid code verifier.")


def _from_refresh(
    oauth: OAuth, client: Client, form: dict[str, str], request: Request
) -> Json:
    """Normally no new refresh token comes; asking for more than granted fails (1.3)."""
    text = form.get("refresh_token", "")
    if not text:
        raise TokenError("invalid_request", "Missing required parameter: refresh_token")
    token = oauth.authority.refresh(text, client.id)
    request.account = token.account
    scopes = token.scopes
    if form.get("scope"):
        wanted = form["scope"].split()
        beyond = [s for s in wanted if s not in token.scopes]
        if beyond:
            raise TokenError(
                "invalid_scope",
                f"Some requested scopes were invalid. {{invalid={beyond}}}",
            )
        scopes = tuple(wanted)
    access = oauth.authority.issue_access(
        client.id, client.project, token.account, scopes
    )
    answer = _token_answer(oauth, access, scopes)
    if "openid" in scopes:
        answer["id_token"] = id_token(
            oauth, client.id, token.account, scopes, (access, "")
        )
    return answer


def _token_answer(oauth: OAuth, access: str, scopes: tuple[str, ...]) -> Json:
    return {
        "access_token": access,
        "expires_in": oauth.switches.access_token_seconds,
        "scope": " ".join(scopes),
        "token_type": "Bearer",
    }


def id_token(
    oauth: OAuth,
    client_id: str,
    email: str,
    scopes: tuple[str, ...],
    extra: tuple[str, str],
) -> str:
    """A signed ID token (3.8); `extra` is the access token and the nonce."""
    access, nonce = extra
    account = oauth.accounts.get(email)
    if account is None:
        raise invalid_grant("Account has been deleted")
    now = int(oauth.clock.now())
    half = hashlib.sha256(access.encode()).digest()[:16]
    claims: Json = {
        "iss": ISSUER,
        "azp": client_id,
        "aud": client_id,
        "sub": account.sub,
        "at_hash": b64(half),
    }
    if account.domain:
        claims["hd"] = account.domain
    if _EMAIL in scopes:
        claims |= {"email": account.email, "email_verified": True}
    if nonce:
        claims["nonce"] = nonce
    if _PROFILE in scopes:
        claims |= {
            "name": account.name,
            "picture": account.picture,
            "given_name": account.given,
            "family_name": account.family,
        }
    return oauth.keys.sign({**claims, "iat": now, "exp": now + 3599})


# ---------------------------------------------------------------- who am I


def bearer(request: Request) -> str:
    """The access token of a request: header, or a query parameter."""
    header = request.headers.get("authorization", "")
    if header[:7].lower() == "bearer ":
        return header[7:].strip()
    params = request.params()
    for name in ("access_token", "oauth_token"):
        if params.get(name):
            return params[name][-1]
    return ""


def authenticate(oauth: OAuth, request: Request, service: str, rpc: str) -> Token:
    """The live token of a request.

    Raises:
        ApiError: 401; none was sent, or it is unknown or has expired.
    """
    text = bearer(request)
    if not text:
        raise missing_credential(service, rpc)
    token = oauth.authority.access(text)
    if token is None:
        raise bad_credential(service, rpc)
    request.account = token.account
    return token


def userinfo(oauth: OAuth, request: Request, *, openid: bool) -> Response:
    """`/v1/userinfo` (OpenID's names) and `/oauth2/v2/userinfo` (older names)."""
    try:
        token = authenticate(oauth, request, "oauth2.googleapis.com", "userinfo.get")
        scopes = set(token.scopes)
        if not scopes & SIGN_IN:
            raise missing_scope("oauth2.googleapis.com", "userinfo.get")
    except ApiError as error:
        return error.response()
    account = oauth.accounts.get(token.account)
    if account is None:
        return bad_credential("oauth2.googleapis.com", "userinfo.get").response()
    answer: Json = {"sub" if openid else "id": account.sub}
    if _PROFILE in scopes:
        answer["name"] = account.name
        answer["given_name"] = account.given
        if account.family:
            answer["family_name"] = account.family
        answer["picture"] = account.picture
    if _EMAIL in scopes:
        answer["email"] = account.email
        answer["email_verified" if openid else "verified_email"] = True
    if account.domain:
        answer["hd"] = account.domain
    return json_response(answer)


def tokeninfo(oauth: OAuth, request: Request, *, newer: bool) -> Response:
    """What a token is; GET and POST, by access_token or id_token (3.1)."""
    given = {k: v[-1] for k, v in request.params().items()} | request.form()
    if given.get("id_token"):
        claims = _claims_of(oauth, given["id_token"])
        if claims is not None:
            return json_response({k: _text(v) for k, v in claims.items()})
        return _invalid_token()
    token = oauth.authority.access(given.get("access_token", ""))
    if token is None:
        return _invalid_token()
    account = oauth.accounts.get(token.account)
    if account is None:
        return _invalid_token()
    request.account = token.account
    left = int(token.expires - oauth.clock.now())
    scope = " ".join(token.scopes)
    if newer:
        answer: Json = {
            "azp": token.client,
            "aud": token.client,
            "sub": account.sub,
            "scope": scope,
            "exp": str(int(token.expires)),
            "expires_in": str(left),
        }
    else:
        answer = {
            "issued_to": token.client,
            "audience": token.client,
            "user_id": account.sub,
            "scope": scope,
            "expires_in": left,
        }
    if _EMAIL in token.scopes:
        answer["email"] = account.email
        answer["email_verified" if newer else "verified_email"] = (
            "true" if newer else True
        )
    return json_response(answer)


def configuration(request: Request) -> Response:
    root = request.root()
    return json_response(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{root}/o/oauth2/v2/auth",
            "token_endpoint": f"{root}/token",
            "userinfo_endpoint": f"{root}/v1/userinfo",
            "revocation_endpoint": f"{root}/revoke",
            "jwks_uri": f"{root}/oauth2/v3/certs",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "client_secret_basic",
            ],
            "code_challenge_methods_supported": ["plain", "S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
        }
    )


def _invalid_token() -> Response:
    body = {"error": "invalid_token", "error_description": "Invalid Value"}
    return json_response(body, 400)


def _claims_of(oauth: OAuth, text: str) -> Json | None:
    """The claims of an ID token that we signed and that has not expired."""
    try:
        head, body, _ = text.split(".")
        claims: Any = orjson.loads(base64.urlsafe_b64decode(body + "=="))
        kid = orjson.loads(base64.urlsafe_b64decode(head + "=="))["kid"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(claims, dict) or kid not in oauth.keys.certificates():
        return None
    good = oauth.keys.verify(kid, text) and claims.get("exp", 0) > oauth.clock.now()
    return claims if good else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
