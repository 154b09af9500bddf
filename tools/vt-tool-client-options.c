/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-client-options.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-client-token.h"
#include "vt-tool-server-tls.h"
#include "vt-tool-tunnel-options.h"

static const VtToolHelp help = {
  .name = "vtunnel-tool client",
  .summary = N_ ("Asks a server to open ports, and connects what arrives there to targets on this\n"
                 "side."),
  .description =
      N_ ("A forward is [ADDRESS:]PORT=TARGET[,OPTION…]:\n"
          "  9000=localhost:3000         port 9000 of the server leads to port 3000 here\n"
          "  0=3000                      the server chooses a port; localhost is understood\n"
          "  9000-9009=3000-3009         ranges, port by port; to one port: 9000-9009=3000\n"
          "  9000=unix:/run/app.sock     to a Unix socket\n"
          "  9000=tls://example.com:443  by TLS, and with its name in the Host header;\n"
          "                              with host-header=keep as it is\n"
          "  9000=3000,proxy-protocol=2  greets the target with the PROXY protocol's header\n"
          "  *:9000=3000                 at all addresses of the server, if it lets you\n"
          "\n"
          "Examples:\n"
          "  vtunnel-tool client --server ws://127.0.0.1:3001/ --forward 9000=localhost:3000\n"
          "      Port 9000 of the server leads to port 3000 of this machine.\n"
          "  vtunnel-tool client --server wss://example.com/ --forward 0=localhost:22 \\\n"
          "      --token-file ~/.config/vtunnel-token --json\n"
          "      A port that the server chooses and an event names, and a token.\n"
          "\n"
          "The token is read from --token-file, or else from $VTUNNEL_TOKEN, or else from\n"
          "systemd's credential vtunnel-token. Whoever may list this machine's processes can\n"
          "read a --header: do not put a token there.\n"
          "Ctrl+C ends the client in order; a second Ctrl+C ends it at once."),
  .more = N_ ("What else may stand behind the target, in any order:\n"
              "  ,forwarded=both  tells an HTTP target of the user: X-Forwarded-For, Forwarded\n"
              "  ,http            gives users of HTTP a page while the target is not there\n"
              "  ,health=SECONDS  looks whether the target is there, and says so\n"
              "A host name in the place of the port, such as app.example.org=3000, takes users by\n"
              "that name, where the server has a port for them."),
};

static gboolean
read_options (VtToolClientOptions *self, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "server", 's', 0, G_OPTION_ARG_STRING, &self->server,
      N_ ("The server, such as wss://example.com/"), N_ ("URL") },
    { "forward", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &self->forwards,
      N_ ("What to forward, as below (repeatable)"), N_ ("FORWARD") },
    { "keep-going", 'k', 0, G_OPTION_ARG_NONE, &self->keep_going,
      N_ ("Go on if the server refuses a forward"), NULL },
    { "token-file", 't', 0, G_OPTION_ARG_FILENAME, &self->token_file,
      N_ ("The token for the server is in this file"), N_ ("FILE") },
    { "header", 'H', 0, G_OPTION_ARG_STRING_ARRAY, &self->headers,
      N_ ("Send this header, too (repeatable)"), N_ ("'NAME: VALUE'") },
    { "tls-ca", 0, 0, G_OPTION_ARG_FILENAME, &self->tls_ca, N_ ("Trust these authorities (PEM)"),
      N_ ("FILE") },
    { "tls-certificate", 0, 0, G_OPTION_ARG_FILENAME, &self->tls_certificate,
      N_ ("Show this certificate (PEM)"), N_ ("FILE") },
    { "tls-key", 0, 0, G_OPTION_ARG_FILENAME, &self->tls_key, N_ ("… and this private key (PEM)"),
      N_ ("FILE") },
    { "pin", 0, 0, G_OPTION_ARG_STRING_ARRAY, &self->pins,
      N_ ("Take this certificate and no other (repeatable)"), N_ ("sha256:HEX") },
    { "ping-interval", 0, 0, G_OPTION_ARG_STRING, &self->ping_interval,
      N_ ("Ask a silent server for life, 0: never (30)"), N_ ("SECONDS") },
    { "ping-timeout", 0, 0, G_OPTION_ARG_STRING, &self->ping_timeout,
      N_ ("… and give up without an answer (15)"), N_ ("SECONDS") },
    { "no-reconnect", 0, 0, G_OPTION_ARG_NONE, &self->no_reconnect,
      N_ ("End when the connection is lost"), NULL },
    { "reconnect-min", 0, 0, G_OPTION_ARG_STRING, &self->reconnect_min,
      N_ ("First wait before connecting again (1)"), N_ ("SECONDS") },
    { "reconnect-max", 0, 0, G_OPTION_ARG_STRING, &self->reconnect_max,
      N_ ("… which doubles, up to this (30)"), N_ ("SECONDS") },
    { "retry-first", 0, 0, G_OPTION_ARG_NONE, &self->retry_first,
      N_ ("Do not end if the server is not there yet"), NULL },
    { "max-protocol", 0, 0, G_OPTION_ARG_STRING, &self->max_protocol,
      N_ ("Highest protocol version, 1 or 2 (2)"), N_ ("VERSION") },
    G_OPTION_ENTRY_NULL,
  };

  return vt_tool_options_parse_configured (&help, entries, "client", argv, &self->common, error);
}

/* RFC 9110: a name is a token; a value holds no control character. */
static gboolean
split_header (const char *text, char **name, char **value)
{
  const char *colon = strchr (text, ':');

  if (colon == NULL || colon == text)
    return FALSE;
  for (const char *at = text; at < colon; at++)
    {
      if (!g_ascii_isalnum (*at) && strchr ("!#$%&'*+-.^_`|~", *at) == NULL)
        return FALSE;
    }
  for (const char *at = colon + 1; *at != '\0'; at++)
    {
      if (g_ascii_iscntrl (*at) && *at != '\t')
        return FALSE;
    }
  *name = g_strndup (text, colon - text);
  *value = g_strstrip (g_strdup (colon + 1));
  return TRUE;
}

/* What the upgrade itself is made of. */
static gboolean
is_reserved (const char *name)
{
  static const char *const reserved[] = { "Connection", "Content-Length", "Host",
                                          "Transfer-Encoding", "Upgrade" };

  for (size_t i = 0; i < G_N_ELEMENTS (reserved); i++)
    {
      if (g_ascii_strcasecmp (name, reserved[i]) == 0)
        return TRUE;
    }
  return g_ascii_strncasecmp (name, "Sec-WebSocket-", strlen ("Sec-WebSocket-")) == 0;
}

/* What a header holds may be a secret: the line tells its number, and at most its name. */
static gboolean
check_header (const char *text, unsigned int number, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *value = NULL;

  if (!split_header (text, &name, &value))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("--header number %u: 'NAME: VALUE' is needed, such as 'X-Team: blue'"),
                   number);
      return FALSE;
    }
  if (is_reserved (name))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("--header number %u: “%s” is the WebSocket's own; give another one"), number,
                   name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_headers (VtToolClientOptions *self, GError **error)
{
  for (unsigned int i = 0; self->headers != NULL && self->headers[i] != NULL; i++)
    {
      if (!check_header (self->headers[i], i + 1, error))
        return FALSE;
    }
  return TRUE;
}

static void
set_headers (VtToolClientOptions *self, VtClient *client)
{
  for (size_t i = 0; self->headers != NULL && self->headers[i] != NULL; i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *value = NULL;

      if (split_header (self->headers[i], &name, &value))
        vt_client_set_header (client, name, value);
    }
}

static gboolean
set_token (VtToolClientOptions *self, VtClient *client, GError **error)
{
  char *token = NULL;

  if (vt_tool_options_is_out_of_sight (&self->common, self->token_file))
    return TRUE;
  if (!vt_tool_client_token_read (self->token_file, &token, error))
    return FALSE;
  if (token != NULL)
    vt_client_set_token (client, token);
  vt_tool_client_token_wipe (token);
  return TRUE;
}

static gboolean
set_certificate (VtToolClientOptions *self, VtClient *client, GError **error)
{
  g_autoptr(GTlsCertificate) certificate = NULL;

  if (self->tls_certificate == NULL || self->tls_key == NULL
      || vt_tool_options_is_out_of_sight (&self->common, self->tls_certificate)
      || vt_tool_options_is_out_of_sight (&self->common, self->tls_key))
    return TRUE;
  certificate = vt_tool_tls_load (self->tls_certificate, self->tls_key, error);
  if (certificate == NULL)
    return FALSE;
  vt_client_set_tls_certificate (client, certificate);
  return TRUE;
}

static gboolean
check_certificate (VtToolClientOptions *self, GError **error)
{
  if ((self->tls_certificate == NULL) == (self->tls_key == NULL))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("%s needs %s beside it"),
               self->tls_key == NULL ? "--tls-certificate" : "--tls-key",
               self->tls_key == NULL ? "--tls-key" : "--tls-certificate");
  return FALSE;
}

static gboolean
set_pins (VtToolClientOptions *self, VtClient *client, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (vt_client_set_pins (client, (const char *const *) self->pins, &reason))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--pin: %s", reason->message);
  return FALSE;
}

static gboolean
set_authorities (VtToolClientOptions *self, VtClient *client, GError **error)
{
  g_autoptr(GTlsDatabase) database = NULL;
  g_autofree char *path = NULL;
  g_autoptr(SoupSession) session = NULL;

  if (self->tls_ca == NULL || vt_tool_options_is_out_of_sight (&self->common, self->tls_ca))
    return TRUE;
  if (!vt_tool_options_check_file ("--tls-ca", self->tls_ca, error))
    return FALSE;
  /* GLib takes no relative one. */
  path = g_canonicalize_filename (self->tls_ca, NULL);
  database = g_tls_file_database_new (path, error);
  if (database == NULL)
    {
      g_prefix_error (error, _ ("No certificates in --tls-ca %s: "), self->tls_ca);
      return FALSE;
    }
  session = soup_session_new_with_options ("user-agent", "vtunnel-tool/" VT_VERSION_STRING,
                                           "tls-database", database, NULL);
  vt_client_set_soup_session (client, session);
  return TRUE;
}

static gboolean
check_server (VtToolClientOptions *self, GError **error)
{
  self->has_server = vt_tool_options_check_server (self->server, error);
  return self->has_server;
}

static gboolean
check_forwards (VtToolClientOptions *self, GError **error)
{
  return vt_tool_options_parse_forwards (self->forwards, &self->parsed, error);
}

static gboolean
check_options (VtToolClientOptions *self, GError **error)
{
  gboolean (*const checks[]) (VtToolClientOptions *, GError **) = {
    check_server,
    check_forwards,
    check_headers,
    check_certificate,
  };

  for (size_t i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      GError *reason = NULL;

      if (!checks[i](self, &reason) && !vt_tool_options_note_fault (&self->common, reason, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
vt_tool_client_options_parse (VtToolClientOptions *self, char **argv, GError **error)
{
  return read_options (self, argv, error) && (self->common.help || check_options (self, error));
}

static gboolean
set_pings (VtToolClientOptions *self, VtClient *client, GError **error)
{
  return vt_tool_options_set_number ("--ping-interval", self->ping_interval, G_OBJECT (client),
                                     "ping-interval", error)
         && vt_tool_options_set_number ("--ping-timeout", self->ping_timeout, G_OBJECT (client),
                                        "ping-timeout", error);
}

static gboolean
set_max_protocol (VtToolClientOptions *self, VtClient *client, GError **error)
{
  return vt_tool_options_set_number ("--max-protocol", self->max_protocol, G_OBJECT (client),
                                     "max-protocol", error);
}

static gboolean
set_reconnection (VtToolClientOptions *self, VtClient *client, GError **error)
{
  vt_client_set_reconnect (client, !self->no_reconnect);
  vt_client_set_retry_first (client, self->retry_first);
  return vt_tool_options_set_seconds ("--reconnect-min", self->reconnect_min, G_OBJECT (client),
                                      "reconnect-min", error)
         && vt_tool_options_set_seconds ("--reconnect-max", self->reconnect_max, G_OBJECT (client),
                                         "reconnect-max", error);
}

VtClient *
vt_tool_client_options_make_client (VtToolClientOptions *self, GError **error)
{
  gboolean (*const setters[]) (VtToolClientOptions *, VtClient *, GError **) = {
    set_pings,       set_max_protocol, set_reconnection, set_pins,
    set_certificate, set_token,        set_authorities,
  };
  /* Without a server, --check-config looks at the rest all the same. */
  g_autoptr(VtClient) client = vt_client_new (self->has_server ? self->server : "ws://localhost/");

  for (size_t i = 0; i < G_N_ELEMENTS (setters); i++)
    {
      GError *reason = NULL;

      if (!setters[i](self, client, &reason)
          && !vt_tool_options_note_fault (&self->common, reason, error))
        return NULL;
    }
  set_headers (self, client);
  return g_steal_pointer (&client);
}

gboolean
vt_tool_client_options_renew_secrets (VtToolClientOptions *self,
                                      const VtToolClientOptions *former,
                                      VtClient *client,
                                      GError **error)
{
  char *token = NULL;

  if (!vt_tool_client_token_read (self->token_file, &token, error))
    return FALSE;
  vt_client_set_token (client, token);
  vt_tool_client_token_wipe (token);
  for (size_t i = 0; former->headers != NULL && former->headers[i] != NULL; i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *value = NULL;

      if (split_header (former->headers[i], &name, &value))
        vt_client_set_header (client, name, NULL);
    }
  set_headers (self, client);
  return TRUE;
}

void
vt_tool_client_options_clear (VtToolClientOptions *self)
{
  vt_tool_options_clear_common (&self->common);
  g_free (self->server);
  g_strfreev (self->forwards);
  g_strfreev (self->headers);
  g_strfreev (self->pins);
  g_free (self->tls_certificate);
  g_free (self->tls_key);
  g_free (self->token_file);
  g_free (self->tls_ca);
  g_free (self->ping_interval);
  g_free (self->ping_timeout);
  g_free (self->max_protocol);
  g_free (self->reconnect_min);
  g_free (self->reconnect_max);
  g_clear_pointer (&self->parsed, g_ptr_array_unref);
}
