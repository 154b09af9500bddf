/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-target-private.h"

#include <sys/un.h>

#include <gio/gunixsocketaddress.h>
#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-text-private.h"

#define TLS_PREFIX "tls://"
#define UNIX_PREFIX "unix:"
#define MAX_HOST_NAME 253

/* A path needs its NUL in sun_path, an abstract name the NUL that it begins with: the same room. */
#define MAX_UNIX_PATH (sizeof (((struct sockaddr_un *) NULL)->sun_path) - 1)

/**
 * VtTarget:
 *
 * Where the connections of a [class@Vt.Forward] go, on the client's side.
 *
 * A target is immutable, and may be used from any thread. It is written as text, in one of these
 * forms:
 *
 * - `localhost:3000`, `192.0.2.1:22`, `[::1]:80`: a TCP port of a host;
 * - `3000`: a TCP port of `localhost`;
 * - `tls://example.com:443`: the same through TLS, verified for that host name;
 * - `unix:/run/app.sock`, and `unix:@name` for a name in the abstract namespace: a Unix socket.
 *
 * ```c
 * g_autoptr(GError) error = NULL;
 * g_autoptr(VtTarget) target = vt_target_parse ("localhost:3000", &error);
 * ```
 *
 * Since: 1.0
 */
struct _VtTarget {
  VtTargetKind kind;
  /* Owned. The host, or the path of a Unix socket (an abstract one with "@" before its name). */
  char *name;
  guint16 port;
};

G_DEFINE_BOXED_TYPE (VtTarget, vt_target, vt_target_ref, vt_target_unref)

static VtTarget *
target_new (VtTargetKind kind, const char *name, guint16 port)
{
  VtTarget *self = g_atomic_rc_box_new0 (VtTarget);

  self->kind = kind;
  self->name = g_strdup (name);
  self->port = port;
  return self;
}

static void
target_clear (gpointer data)
{
  VtTarget *self = data;

  g_free (self->name);
}

/**
 * VtTargetKind:
 * @VT_TARGET_TCP: a TCP port of a host
 * @VT_TARGET_UNIX: a Unix socket
 * @VT_TARGET_TLS: a TCP port of a host, through TLS that is verified for the host's name
 *
 * The kinds of a [struct@Vt.Target].
 *
 * Since: 1.0
 */

/* Every refusal ends with the forms that are right; `what` is translated. */
static void
set_error (GError **error, const char *text, const char *what)
{
  g_autofree char *escaped = vt_text_escape (text, -1);

  g_set_error (
      error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
      /* Translators: the first is what somebody wrote, the second what is wrong with it. */
      _ ("“%s”: %s; a target is HOST:PORT, PORT, unix:/PATH or tls://HOST:PORT"), escaped, what);
}

static gboolean
has_control (const char *text)
{
  for (; *text != '\0'; text++)
    if (g_ascii_iscntrl (*text))
      return TRUE;
  return FALSE;
}

static gboolean
is_label (const char *label)
{
  size_t length = strlen (label);

  if (length < 1 || length > 63 || label[0] == '-' || label[length - 1] == '-')
    return FALSE;
  for (; *label != '\0'; label++)
    if (!g_ascii_isalnum (*label) && *label != '-' && *label != '_')
      return FALSE;
  return TRUE;
}

/* Resolvers read "127.1" and "1.2.3.999" in surprising ways, so what ends like a number has to be
 * a whole IPv4 address. A dot at the end is that of a fully qualified name. */
static gboolean
is_host_name (const char *host)
{
  g_auto(GStrv) labels = g_strsplit (host, ".", -1);
  unsigned int n = g_strv_length (labels);
  size_t length = strlen (host);

  if (n > 1 && labels[n - 1][0] == '\0')
    {
      n--;
      length--;
    }
  if (n == 0 || length > MAX_HOST_NAME)
    return FALSE;
  for (unsigned int i = 0; i < n; i++)
    if (!is_label (labels[i]))
      return FALSE;
  return strspn (labels[n - 1], G_CSET_DIGITS) != strlen (labels[n - 1]);
}

/* The name or the number of a network interface. */
static gboolean
is_scope (const char *scope)
{
  size_t length = strlen (scope);

  return length > 0 && strspn (scope, G_CSET_DIGITS G_CSET_a_2_z G_CSET_A_2_Z "._-") == length;
}

static gboolean
is_ipv6 (const char *text)
{
  const char *scope = strchr (text, '%');
  g_autofree char *plain = scope != NULL ? g_strndup (text, scope - text) : g_strdup (text);
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string (plain);

  if (address == NULL || g_inet_address_get_family (address) != G_SOCKET_FAMILY_IPV6)
    return FALSE;
  return scope == NULL || is_scope (scope + 1);
}

/* Takes "HOST" as it stands before ":PORT"; gives it as the platform wants it: without brackets,
 * and an international name in its ASCII form. */
static char *
parse_host (const char *text)
{
  g_autofree char *host = NULL;
  size_t length = strlen (text);

  if (text[0] == '[' && text[length - 1] == ']')
    {
      host = g_strndup (text + 1, length - 2);
      return is_ipv6 (host) ? g_steal_pointer (&host) : NULL;
    }

  host = g_hostname_to_ascii (text);
  if (host == NULL || strchr (host, ':') != NULL)
    return NULL;
  if (g_hostname_is_ip_address (host) || is_host_name (host))
    return g_steal_pointer (&host);
  return NULL;
}

/* Schemes have no case (RFC 3986, section 3.1), and a host of that name could not be told from
 * one. */
static gboolean
has_scheme (const char *text, const char *prefix)
{
  return g_ascii_strncasecmp (text, prefix, strlen (prefix)) == 0;
}

static VtTarget *
parse_unix (const char *text, GError **error)
{
  const char *path = text + strlen (UNIX_PREFIX);

  if ((path[0] != '/' && path[0] != '@') || path[1] == '\0')
    {
      set_error (error, text, _ ("the path of a Unix socket must be absolute"));
      return NULL;
    }
  if (strlen (path) > MAX_UNIX_PATH)
    {
      set_error (error, text, _ ("the path of a Unix socket cannot be that long"));
      return NULL;
    }
  return target_new (VT_TARGET_UNIX, path, 0);
}

/* `text` is the whole target, for messages; `rest` is what follows the scheme. */
static VtTarget *
parse_host_and_port (VtTargetKind kind, const char *text, const char *rest, GError **error)
{
  const char *colon = strrchr (rest, ':');
  g_autofree char *before = NULL;
  g_autofree char *host = NULL;
  guint16 port;

  if (colon == NULL || strchr (colon, ']') != NULL)
    {
      set_error (error, text, _ ("the port is missing"));
      return NULL;
    }
  if (colon == rest)
    {
      set_error (error, text, _ ("the host is missing"));
      return NULL;
    }
  if (!vt_text_read_port (colon + 1, 1, &port))
    {
      set_error (error, text, _ ("the port must be a number between 1 and 65535"));
      return NULL;
    }

  before = g_strndup (rest, colon - rest);
  if (before[0] == '[' && strchr (before, ']') == NULL)
    {
      set_error (error, text, _ ("the bracket before an IPv6 address is not closed"));
      return NULL;
    }
  if (before[0] != '[' && strchr (before, ':') != NULL)
    {
      set_error (error, text, _ ("an IPv6 address stands in brackets, as in [::1]:3000"));
      return NULL;
    }
  host = parse_host (before);
  if (host == NULL)
    {
      set_error (error, text, _ ("the host is neither a name nor an address"));
      return NULL;
    }
  return target_new (kind, host, port);
}

static VtTarget *
parse_lone_port (const char *text, GError **error)
{
  guint16 port;

  if (!vt_text_read_port (text, 1, &port))
    {
      set_error (error, text, _ ("the port must be a number between 1 and 65535"));
      return NULL;
    }
  return target_new (VT_TARGET_TCP, "localhost", port);
}

/**
 * vt_target_parse:
 * @text: a target: `HOST:PORT`, `PORT`, `unix:/PATH`, `unix:@NAME` or `tls://HOST:PORT`
 * @error: return location for an error
 *
 * Reads a target from text.
 *
 * Ports go from 1 to 65535. An IPv6 address stands in brackets. An international host name is
 * converted to its ASCII form. Nothing is looked up: a host that does not exist is found when it is
 * connected to.
 *
 * Returns: (transfer full): the target, or %NULL with `VT_ERROR_INVALID_ARGUMENT` and a message
 *   that says what is wrong with @text
 *
 * Since: 1.0
 */
VtTarget *
vt_target_parse (const char *text, GError **error)
{
  g_return_val_if_fail (text != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (text[0] == '\0')
    {
      set_error (error, text, _ ("nothing is there"));
      return NULL;
    }
  if (!g_utf8_validate (text, -1, NULL) || has_control (text))
    {
      set_error (error, text, _ ("it is not plain text"));
      return NULL;
    }
  if (has_scheme (text, UNIX_PREFIX))
    return parse_unix (text, error);
  if (strchr (text, ' ') != NULL)
    {
      set_error (error, text, _ ("a space cannot be part of it"));
      return NULL;
    }
  if (has_scheme (text, TLS_PREFIX))
    return parse_host_and_port (VT_TARGET_TLS, text, text + strlen (TLS_PREFIX), error);
  if (strstr (text, "://") != NULL)
    {
      set_error (error, text, _ ("the only scheme is tls://"));
      return NULL;
    }
  if (strspn (text, G_CSET_DIGITS) == strlen (text))
    return parse_lone_port (text, error);
  return parse_host_and_port (VT_TARGET_TCP, text, text, error);
}

/**
 * vt_target_ref:
 * @self: a target
 *
 * Adds a reference.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
VtTarget *
vt_target_ref (VtTarget *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire (self);
}

/**
 * vt_target_unref:
 * @self: (transfer full): a target
 *
 * Drops a reference, and frees the target with the last one.
 *
 * Since: 1.0
 */
void
vt_target_unref (VtTarget *self)
{
  g_return_if_fail (self != NULL);

  g_atomic_rc_box_release_full (self, target_clear);
}

/**
 * vt_target_get_kind:
 * @self: a target
 *
 * Gets what kind of target it is.
 *
 * Returns: the kind
 *
 * Since: 1.0
 */
VtTargetKind
vt_target_get_kind (VtTarget *self)
{
  g_return_val_if_fail (self != NULL, VT_TARGET_TCP);

  return self->kind;
}

/**
 * vt_target_get_host:
 * @self: a target
 *
 * Gets the host of a TCP or TLS target: a name in its ASCII form, or an address without brackets.
 *
 * Returns: (nullable) (transfer none): the host; %NULL for a Unix socket
 *
 * Since: 1.0
 */
const char *
vt_target_get_host (VtTarget *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->kind != VT_TARGET_UNIX ? self->name : NULL;
}

/**
 * vt_target_get_port:
 * @self: a target
 *
 * Gets the port of a TCP or TLS target.
 *
 * Returns: the port; 0 for a Unix socket
 *
 * Since: 1.0
 */
guint16
vt_target_get_port (VtTarget *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->port;
}

/**
 * vt_target_get_path:
 * @self: a target
 *
 * Gets the path of a Unix socket; an abstract name has an `@` before it.
 *
 * Returns: (nullable) (transfer none): the path; %NULL for a TCP or TLS target
 *
 * Since: 1.0
 */
const char *
vt_target_get_path (VtTarget *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->kind == VT_TARGET_UNIX ? self->name : NULL;
}

/**
 * vt_target_to_string:
 * @self: a target
 *
 * Writes the target as text, in a form that [func@Vt.Target.parse] reads back.
 *
 * Returns: (transfer full): the text
 *
 * Since: 1.0
 */
char *
vt_target_to_string (VtTarget *self)
{
  const char *scheme;

  g_return_val_if_fail (self != NULL, NULL);

  if (self->kind == VT_TARGET_UNIX)
    return g_strconcat (UNIX_PREFIX, self->name, NULL);
  scheme = self->kind == VT_TARGET_TLS ? TLS_PREFIX : "";
  if (strchr (self->name, ':') != NULL)
    return g_strdup_printf ("%s[%s]:%u", scheme, self->name, self->port);
  return g_strdup_printf ("%s%s:%u", scheme, self->name, self->port);
}

VtTarget *
vt_target_shift (VtTarget *self, unsigned int offset)
{
  if (self->kind == VT_TARGET_UNIX || offset > G_MAXUINT16 - (unsigned int) self->port)
    return NULL;
  return target_new (self->kind, self->name, (guint16) (self->port + offset));
}

GSocketConnectable *
vt_target_get_connectable (VtTarget *self)
{
  if (self->kind != VT_TARGET_UNIX)
    return g_network_address_new (self->name, self->port);
  if (self->name[0] == '@')
    return G_SOCKET_CONNECTABLE (
        g_unix_socket_address_new_with_type (self->name + 1, -1, G_UNIX_SOCKET_ADDRESS_ABSTRACT));
  return G_SOCKET_CONNECTABLE (g_unix_socket_address_new (self->name));
}
