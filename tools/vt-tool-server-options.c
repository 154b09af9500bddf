/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-server-options.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vt-tool-server-tls.h"

static const VtToolHelp help = {
  .name = "vtunnel-tool server",
  .summary =
      N_ ("Waits for clients, opens the ports that they ask for, and passes every connection\n"
          "to such a port on to the client that asked for it."),
  .description =
      N_ ("Examples:\n"
          "  vtunnel-tool server\n"
          "      A server for clients on this machine, or behind ssh or the like.\n"
          "  vtunnel-tool server --listen 0.0.0.0 --access /etc/vtunnel/access \\\n"
          "      --tls-certificate cert.pem --tls-key key.pem\n"
          "      A server for those whose tokens “vtunnel-tool token” has made.\n"
          "  vtunnel-tool server --port 0 --json\n"
          "      A free port, which the first line on standard output names.\n"
          "\n"
          "Port 0 takes a free one. The path “/” accepts any path. Without --access and\n"
          "--no-auth the server listens on loopback only, and refuses what comes through a\n"
          "proxy. What is changed in the access file counts at once, or at SIGHUP.\n"
          "Ctrl+C ends it when the open connections have, at the latest after --grace; a\n"
          "second Ctrl+C ends it at once."),
};

static gboolean
read_options (VtToolServerOptions *self, char **argv, GError **error)
{
  const GOptionEntry own[] = {
    { "listen", 'l', 0, G_OPTION_ARG_STRING, &self->listen,
      N_ ("Wait for clients here (127.0.0.1)"), N_ ("ADDRESS") },
    { "port", 'p', 0, G_OPTION_ARG_STRING, &self->port, N_ ("… on this port (3001)"), N_ ("PORT") },
    { "path", 0, 0, G_OPTION_ARG_STRING, &self->path, N_ ("… at this path (/)"), N_ ("PATH") },
    { "tls-certificate", 0, 0, G_OPTION_ARG_FILENAME, &self->tls_certificate,
      N_ ("Use TLS, with this certificate (PEM)"), N_ ("FILE") },
    { "tls-key", 0, 0, G_OPTION_ARG_FILENAME, &self->tls_key, N_ ("… and this private key (PEM)"),
      N_ ("FILE") },
    { "access", 'a', 0, G_OPTION_ARG_FILENAME, &self->access,
      N_ ("Let in those whose tokens are in this file"), N_ ("FILE") },
    { "client-ca", 0, 0, G_OPTION_ARG_FILENAME, &self->client_ca,
      N_ ("… or who has a certificate of these authorities"), N_ ("FILE") },
    { "no-auth", 0, 0, G_OPTION_ARG_NONE, &self->no_auth, N_ ("Let in whoever reaches the server"),
      NULL },
    { "trusted-proxy", 0, 0, G_OPTION_ARG_STRING_ARRAY, &self->trusted_proxies,
      N_ ("Believe this proxy or network (repeatable)"), N_ ("ADDRESS") },
    { "allowed-origin", 0, 0, G_OPTION_ARG_STRING_ARRAY, &self->allowed_origins,
      N_ ("Let in this website's pages (repeatable)"), N_ ("ORIGIN") },
    { "bind-address", 'b', 0, G_OPTION_ARG_STRING, &self->bind_address,
      N_ ("Open clients' ports here (localhost)"), N_ ("ADDRESS") },
    { "allowed-ports", 0, 0, G_OPTION_ARG_STRING, &self->allowed_ports,
      N_ ("Ports that clients may open"), N_ ("RANGES") },
    { "http-port", 0, 0, G_OPTION_ARG_STRING, &self->http_port,
      N_ ("Take users by host name on this port"), N_ ("PORT") },
    { "http-listen", 0, 0, G_OPTION_ARG_STRING, &self->http_listen, N_ ("… here (localhost)"),
      N_ ("ADDRESS") },
    { "http-url", 0, 0, G_OPTION_ARG_STRING, &self->http_url, N_ ("… found at this URL"), "URL" },
    { "allowed-names", 0, 0, G_OPTION_ARG_STRING, &self->allowed_names,
      N_ ("Host names that clients may have"), N_ ("NAMES") },
    { "proxy-protocol-ports", 0, 0, G_OPTION_ARG_STRING, &self->proxy_protocol_ports,
      N_ ("Ports whose users come with a PROXY header"), N_ ("RANGES") },
    { "ping-interval", 0, 0, G_OPTION_ARG_STRING, &self->ping_interval,
      N_ ("Ask silent clients for life, 0: never (30)"), N_ ("SECONDS") },
    { "ping-timeout", 0, 0, G_OPTION_ARG_STRING, &self->ping_timeout,
      N_ ("… and give up without an answer (15)"), N_ ("SECONDS") },
    { "resume-timeout", 0, 0, G_OPTION_ARG_STRING, &self->resume_timeout,
      N_ ("Wait for lost clients to come back, 0: no (60)"), N_ ("SECONDS") },
    { "grace", 0, 0, G_OPTION_ARG_STRING, &self->grace,
      N_ ("Let connections finish at the end, 0: no (10)"), N_ ("SECONDS") },
    { "max-protocol", 0, 0, G_OPTION_ARG_STRING, &self->max_protocol,
      N_ ("Highest protocol version, 1 or 2 (2)"), N_ ("VERSION") },
    { "status-listen", 0, 0, G_OPTION_ARG_STRING, &self->status_listen,
      N_ ("Show /status and /metrics here, too"), N_ ("ADDRESS:PORT") },
  };
  GOptionEntry entries[G_N_ELEMENTS (own) + VT_TOOL_SERVER_N_LIMITS + 1] = { 0 };

  memcpy (entries, own, sizeof own);
  vt_tool_server_limits_fill (&self->limits, entries + G_N_ELEMENTS (own));
  return vt_tool_options_parse_configured (&help, entries, "server", argv, &self->common, error);
}

/* Whether only this machine reaches it. A name that is not an address is the library's to judge. */
static gboolean
is_loopback (const char *address)
{
  g_autoptr(GInetAddress) inet = g_inet_address_new_from_string (address);

  return inet == NULL || g_inet_address_get_is_loopback (inet);
}

static gboolean
is_address (const char *text)
{
  return g_strcmp0 (text, "localhost") == 0 || g_hostname_is_ip_address (text);
}

static gboolean
check_address (const char *option, const char *text, GError **error)
{
  if (is_address (text))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("%s “%s”: an IP address of this machine is needed, or “localhost”"), option,
               text);
  return FALSE;
}

/* What a browser sends as Origin: a scheme and a host, and nothing after them. */
static gboolean
check_origin (const char *text, GError **error)
{
  g_autoptr(GUri) uri = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);

  if (uri != NULL && g_uri_get_host (uri) != NULL && g_uri_get_host (uri)[0] != '\0'
      && g_uri_get_path (uri)[0] == '\0' && g_uri_get_query (uri) == NULL
      && g_uri_get_fragment (uri) == NULL)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("--allowed-origin “%s”: an origin is needed, such as https://example.com"), text);
  return FALSE;
}

static gboolean
check_tls (VtToolServerOptions *self, GError **error)
{
  if ((self->tls_certificate == NULL) == (self->tls_key == NULL))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("%s needs %s beside it"),
               self->tls_key == NULL ? "--tls-certificate" : "--tls-key",
               self->tls_key == NULL ? "--tls-key" : "--tls-certificate");
  return FALSE;
}

static gboolean
check_http (VtToolServerOptions *self, GError **error)
{
  const char *alone = self->http_listen != NULL     ? "--http-listen"
                      : self->http_url != NULL      ? "--http-url"
                      : self->allowed_names != NULL ? "--allowed-names"
                                                    : NULL;

  if (self->http_port == NULL && alone != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("%s needs %s beside it"), alone,
                   "--http-port");
      return FALSE;
    }
  if (!vt_tool_options_port ("--http-port", self->http_port, 0, &self->http_port_number, error))
    return FALSE;
  if (self->http_listen == NULL || strcmp (self->http_listen, "*") == 0)
    return TRUE;
  return check_address ("--http-listen", self->http_listen, error);
}

static gboolean
check_client_ca (VtToolServerOptions *self, GError **error)
{
  if (self->client_ca == NULL || (self->access != NULL && self->tls_certificate != NULL))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("%s needs %s beside it"),
               "--client-ca", self->access == NULL ? "--access" : "--tls-certificate");
  return FALSE;
}

static void
fill_defaults (VtToolServerOptions *self)
{
  if (self->listen == NULL)
    self->listen = g_strdup ("127.0.0.1");
  if (self->path == NULL)
    self->path = g_strdup ("/");
}

static gboolean
check_http_openness (VtToolServerOptions *self, GError **error)
{
  if (self->access != NULL || self->no_auth || self->http_listen == NULL
      || (strcmp (self->http_listen, "*") != 0 && is_loopback (self->http_listen)))
    return TRUE;
  g_set_error (
      error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      _ ("--http-listen “%s”: others than this machine would be sent to whoever asks for a "
         "name; add --access to say who may have which, or --no-auth if anybody may"),
      self->http_listen);
  return FALSE;
}

gboolean
vt_tool_server_options_check_openness (VtToolServerOptions *self, GError **error)
{
  if (self->access != NULL && self->no_auth)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           _ ("--access and --no-auth exclude each other: give one of them"));
      return FALSE;
    }
  if (self->access == NULL && !self->no_auth && !is_loopback (self->listen))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("--listen “%s”: others than this machine would reach the server; add "
                      "--access to say who may open ports on it, or --no-auth if anybody may"),
                   self->listen);
      return FALSE;
    }
  return check_http_openness (self, error);
}

static gboolean
check_port (VtToolServerOptions *self, GError **error)
{
  return vt_tool_options_port ("--port", self->port, 3001, &self->port_number, error);
}

static gboolean
check_grace (VtToolServerOptions *self, GError **error)
{
  return vt_tool_options_port ("--grace", self->grace, 10, &self->grace_seconds, error);
}

static gboolean
check_listen (VtToolServerOptions *self, GError **error)
{
  return check_address ("--listen", self->listen, error);
}

static gboolean
check_bind_address (VtToolServerOptions *self, GError **error)
{
  return self->bind_address == NULL || strcmp (self->bind_address, "*") == 0
         || check_address ("--bind-address", self->bind_address, error);
}

static gboolean
check_origins (VtToolServerOptions *self, GError **error)
{
  for (size_t i = 0; self->allowed_origins != NULL && self->allowed_origins[i] != NULL; i++)
    if (!check_origin (self->allowed_origins[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
check_path (VtToolServerOptions *self, GError **error)
{
  if (self->path[0] == '/')
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("--path “%s”: a path begins with “/”"), self->path);
  return FALSE;
}

/* "9091", "localhost:9091" or "[::1]:9091". */
static gboolean
check_status_listen (VtToolServerOptions *self, GError **error)
{
  const char *text = self->status_listen;
  const char *colon = text != NULL ? strrchr (text, ':') : NULL;
  guint64 port = 0;
  size_t length = colon != NULL ? (size_t) (colon - text) : 0;

  if (text == NULL)
    return TRUE;
  if (length > 2 && text[0] == '[' && text[length - 1] == ']')
    self->status_address = g_strndup (text + 1, length - 2);
  else
    self->status_address = colon != NULL ? g_strndup (text, length) : g_strdup ("localhost");
  if (g_ascii_string_to_unsigned (colon != NULL ? colon + 1 : text, 10, 0, G_MAXUINT16, &port, NULL)
      && is_address (self->status_address))
    {
      self->status_port = port;
      return TRUE;
    }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("--status-listen “%s”: an address and a port are needed, such as "
                  "localhost:9091"),
               text);
  return FALSE;
}

static gboolean
check_options (VtToolServerOptions *self, GError **error)
{
  gboolean (*const checks[]) (VtToolServerOptions *, GError **) = {
    check_port,
    check_grace,
    check_listen,
    check_bind_address,
    check_tls,
    check_origins,
    check_client_ca,
    check_path,
    check_status_listen,
    check_http,
    vt_tool_server_options_check_openness,
  };

  fill_defaults (self);
  for (size_t i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      GError *reason = NULL;

      if (!checks[i](self, &reason) && !vt_tool_options_note_fault (&self->common, reason, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
vt_tool_server_options_parse (VtToolServerOptions *self, char **argv, GError **error)
{
  return read_options (self, argv, error) && (self->common.help || check_options (self, error));
}

static gboolean
set_allowed_ports (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (self->allowed_ports == NULL
      || vt_server_set_allowed_ports (server, self->allowed_ports, &reason))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--allowed-ports: %s",
               reason->message);
  return FALSE;
}

static gboolean
set_names (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_auto(GStrv) names =
      self->allowed_names != NULL ? g_strsplit (self->allowed_names, ",", -1) : NULL;
  g_autoptr(GError) reason = NULL;

  if (!vt_server_set_allowed_names (server, (const char *const *) names, &reason))
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--allowed-names: %s",
                 reason->message);
  else if (!vt_server_set_http_url (server, self->http_url, &reason))
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--http-url: %s",
                 reason->message);
  return reason == NULL;
}

static gboolean
set_proxy_protocol_ports (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (vt_server_set_proxy_protocol_ports (server, self->proxy_protocol_ports, &reason))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--proxy-protocol-ports: %s",
               reason->message);
  return FALSE;
}

static gboolean
set_trusted_proxies (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_autoptr(GError) reason = NULL;

  if (self->trusted_proxies == NULL
      || vt_server_set_trusted_proxies (server, (const char *const *) self->trusted_proxies,
                                        &reason))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--trusted-proxy: %s",
               reason->message);
  return FALSE;
}

static gboolean
set_client_authorities (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_autoptr(GTlsDatabase) database = NULL;
  g_autofree char *path = NULL;

  if (self->client_ca == NULL || vt_tool_options_is_out_of_sight (&self->common, self->client_ca))
    return TRUE;
  if (!vt_tool_options_check_file ("--client-ca", self->client_ca, error))
    return FALSE;
  /* GLib takes no relative one. */
  path = g_canonicalize_filename (self->client_ca, NULL);
  database = g_tls_file_database_new (path, error);
  if (database == NULL)
    {
      g_prefix_error (error, _ ("No certificates in --client-ca %s: "), self->client_ca);
      return FALSE;
    }
  vt_server_set_client_authorities (server, database);
  return TRUE;
}

static gboolean
set_access (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_autoptr(VtAccess) access = NULL;

  if (self->access == NULL || vt_tool_options_is_out_of_sight (&self->common, self->access))
    return TRUE;
  access = vt_access_new_for_file (self->access, error);
  if (access == NULL)
    return FALSE;
  vt_server_set_access (server, access);
  if (self->tls_certificate == NULL && self->trusted_proxies == NULL && !is_loopback (self->listen))
    g_message (_ ("Without TLS, whoever is on the way can read the tokens: use --tls-certificate, "
                  "or a proxy that speaks TLS"));
  return TRUE;
}

static gboolean
set_numbers (VtToolServerOptions *self, VtServer *server, GError **error)
{
  const struct {
    const char *option;
    const char *text;
    const char *property;
  } numbers[] = {
    { "--ping-interval", self->ping_interval, "ping-interval" },
    { "--ping-timeout", self->ping_timeout, "ping-timeout" },
    { "--resume-timeout", self->resume_timeout, "resume-timeout" },
    { "--max-protocol", self->max_protocol, "max-protocol" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      GError *reason = NULL;

      if (!vt_tool_options_set_number (numbers[i].option, numbers[i].text, G_OBJECT (server),
                                       numbers[i].property, &reason)
          && !vt_tool_options_note_fault (&self->common, reason, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
set_limits (VtToolServerOptions *self, VtServer *server, GError **error)
{
  return vt_tool_server_limits_apply (&self->limits, &self->common, server, error);
}

static gboolean
set_certificate (VtToolServerOptions *self, VtServer *server, GError **error)
{
  g_autoptr(GTlsCertificate) certificate = NULL;

  if (self->tls_certificate == NULL || self->tls_key == NULL
      || vt_tool_options_is_out_of_sight (&self->common, self->tls_certificate)
      || vt_tool_options_is_out_of_sight (&self->common, self->tls_key))
    return TRUE;
  certificate = vt_tool_tls_load (self->tls_certificate, self->tls_key, error);
  if (certificate == NULL)
    return FALSE;
  vt_server_set_tls_certificate (server, certificate);
  return TRUE;
}

static gboolean
set_rest (VtToolServerOptions *self, VtServer *server, GError **error)
{
  /* What --check-config goes on with may be wrong. */
  if (self->path[0] == '/')
    vt_server_set_path (server, self->path);
  vt_server_set_allow_anonymous (server, self->no_auth);
  if (self->bind_address != NULL)
    vt_server_set_bind_address (server, self->bind_address);
  if (self->allowed_origins != NULL)
    vt_server_set_allowed_origins (server, (const char *const *) self->allowed_origins);
  return TRUE;
}

VtServer *
vt_tool_server_options_make_server (VtToolServerOptions *self, GError **error)
{
  gboolean (*const setters[]) (VtToolServerOptions *, VtServer *, GError **) = {
    set_numbers,       set_limits,
    set_allowed_ports, set_proxy_protocol_ports,
    set_names,         set_trusted_proxies,
    set_certificate,   set_client_authorities,
    set_access,        set_rest,
  };
  g_autoptr(VtServer) server = vt_server_new ();

  for (size_t i = 0; i < G_N_ELEMENTS (setters); i++)
    {
      GError *reason = NULL;

      if (!setters[i](self, server, &reason)
          && !vt_tool_options_note_fault (&self->common, reason, error))
        return NULL;
    }
  return g_steal_pointer (&server);
}

void
vt_tool_server_options_clear (VtToolServerOptions *self)
{
  vt_tool_options_clear_common (&self->common);
  vt_tool_server_limits_clear (&self->limits);
  g_free (self->listen);
  g_free (self->port);
  g_free (self->path);
  g_free (self->bind_address);
  g_free (self->allowed_ports);
  g_free (self->http_listen);
  g_free (self->http_port);
  g_free (self->http_url);
  g_free (self->allowed_names);
  g_free (self->proxy_protocol_ports);
  g_strfreev (self->allowed_origins);
  g_free (self->access);
  g_free (self->client_ca);
  g_strfreev (self->trusted_proxies);
  g_free (self->tls_certificate);
  g_free (self->tls_key);
  g_free (self->ping_interval);
  g_free (self->ping_timeout);
  g_free (self->resume_timeout);
  g_free (self->grace);
  g_free (self->max_protocol);
  g_free (self->status_listen);
  g_free (self->status_address);
}
