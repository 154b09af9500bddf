/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-forward-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-host-name-private.h"
#include "vt-target-private.h"
#include "vt-text-private.h"

/* A range is most often a mistyped one when it is longer than a server would ever open. */
#define MAX_FORWARDS 1024

#define WORD_AUTO "auto"
#define WORD_KEEP "keep"

static const struct {
  const char *word;
  VtForwardedHeaders headers;
} forwarded_words[] = {
  { "x-forwarded", VT_FORWARDED_HEADERS_X_FORWARDED },
  { "forwarded", VT_FORWARDED_HEADERS_FORWARDED },
  { "both", VT_FORWARDED_HEADERS_X_FORWARDED | VT_FORWARDED_HEADERS_FORWARDED },
};

/* What a spec says, for each of the forwards that it stands for. */
typedef struct {
  const char *text; /* not owned, the whole spec, for messages */

  GStrv host_names; /* owned, NULL unless it has names instead of ports */
  char *address;    /* owned, NULL if there is none */
  guint16 first_port;
  unsigned int n_ports;

  VtTarget *target; /* owned, the first one */
  unsigned int n_targets;

  VtHostHeaderMode host_header_mode;
  char *host_header; /* owned, NULL unless the mode is REPLACE */
  unsigned int proxy_protocol;
  VtForwardedHeaders forwarded_headers;
  gboolean http;
  unsigned int health_interval;
  unsigned int options_seen; /* bits, by their places in `options` */
} Spec;

static void
spec_clear (Spec *spec)
{
  g_strfreev (spec->host_names);
  g_free (spec->address);
  g_clear_pointer (&spec->target, vt_target_unref);
  g_free (spec->host_header);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Spec, spec_clear)

/* `what` is translated; FALSE, so that it can be returned. */
static gboolean
refuse (const Spec *spec, const char *what, GError **error)
{
  g_autofree char *escaped = vt_text_escape (spec->text, -1);

  g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, _ ("“%s”: %s"), escaped, what);
  return FALSE;
}

/* "9000" or "9000-9009". */
static gboolean
parse_ports (const Spec *spec, const char *text, guint16 *first, unsigned int *n, GError **error)
{
  g_auto(GStrv) ends = g_strsplit (text, "-", 2);
  guint16 last = 0;

  if (ends[0] == NULL)
    return refuse (spec, _ ("the port to listen on is missing"), error);
  if (!vt_text_read_port (ends[0], 0, first)
      || (ends[1] != NULL && !vt_text_read_port (ends[1], 0, &last)))
    return refuse (spec, _ ("the port must be between 0 and 65535"), error);
  *n = 1;
  if (ends[1] == NULL)
    return TRUE;

  if (*first == 0)
    return refuse (spec, _ ("a range of ports cannot begin with 0"), error);
  if (last < *first)
    return refuse (spec, _ ("a range of ports must go upwards"), error);
  *n = last - *first + 1;
  if (*n > MAX_FORWARDS)
    return refuse (spec, _ ("a range may have at most 1024 ports"), error);
  return TRUE;
}

/* Takes the address without its brackets, which `bracketed` tells of. */
static gboolean
is_listen_address (const char *address, gboolean bracketed)
{
  g_autoptr(GInetAddress) parsed = g_inet_address_new_from_string (address);

  if (bracketed)
    return parsed != NULL && g_inet_address_get_family (parsed) == G_SOCKET_FAMILY_IPV6;
  if (g_str_equal (address, "*") || g_str_equal (address, "localhost"))
    return TRUE;
  return parsed != NULL && g_inet_address_get_family (parsed) == G_SOCKET_FAMILY_IPV4;
}

/* Whether the left side is meant to be a host name: what begins with a digit and has no dot is a
 * port, if a mistyped one, and what has a colon begins with an address. */
static gboolean
looks_like_names (const char *text)
{
  if (strchr (text, ':') != NULL || g_hostname_is_ip_address (text))
    return FALSE;
  return strpbrk (text, ".,") != NULL || g_ascii_isalpha (text[0]) || (text[0] & 0x80) != 0;
}

/* "NAME[,NAME…]". */
static gboolean
parse_host_names (Spec *spec, const char *text, GError **error)
{
  g_auto(GStrv) names = g_strsplit (text, ",", -1);

  spec->n_ports = 1;
  for (size_t i = 0; names[i] != NULL; i++)
    {
      g_autofree char *normalized = vt_host_pattern_normalize (names[i]);
      g_autofree char *escaped = normalized == NULL ? vt_text_escape (names[i], -1) : NULL;
      g_autofree char *what = NULL;

      if (normalized != NULL)
        continue;
      what = g_strdup_printf (_ ("“%s” is neither a port nor a host name, such as "
                                 "a.example.org or *.example.org"),
                              escaped);
      return refuse (spec, what, error);
    }
  spec->host_names = g_steal_pointer (&names);
  return TRUE;
}

/* "[ADDRESS:]PORT[-PORT]", or host names. */
static gboolean
parse_listen (Spec *spec, const char *text, GError **error)
{
  gboolean bracketed = text[0] == '[';
  const char *closing = bracketed ? strchr (text, ']') : NULL;
  const char *colon = bracketed ? NULL : strrchr (text, ':');
  size_t length;

  if (looks_like_names (text))
    return parse_host_names (spec, text, error);
  if (bracketed && closing == NULL)
    return refuse (spec, _ ("the bracket before the address to listen at is not closed"), error);
  if (bracketed && closing[1] != ':')
    return refuse (spec, _ ("after the address to listen at, the port is missing"), error);
  if (bracketed)
    colon = closing + 1;
  if (colon == NULL)
    return parse_ports (spec, text, &spec->first_port, &spec->n_ports, error);

  length = colon - text;
  spec->address = bracketed ? g_strndup (text + 1, length - 2) : g_strndup (text, length);
  if (!is_listen_address (spec->address, bracketed))
    return refuse (spec,
                   _ ("the address to listen at must be an IPv4 address, an IPv6 address in "
                      "brackets, localhost or *"),
                   error);
  return parse_ports (spec, colon + 1, &spec->first_port, &spec->n_ports, error);
}

/* The ports at the end of a target, if they are a range: where they begin, or NULL. */
static const char *
find_target_range (const char *target)
{
  const char *colon = strrchr (target, ':');
  const char *ports = colon != NULL ? colon + 1 : target;
  size_t before = strspn (ports, G_CSET_DIGITS);
  size_t after;

  if (g_str_has_prefix (target, "unix:") || before == 0 || ports[before] != '-')
    return NULL;
  after = strspn (ports + before + 1, G_CSET_DIGITS);
  return after > 0 && ports[before + 1 + after] == '\0' ? ports : NULL;
}

static gboolean
parse_target (Spec *spec, const char *text, GError **error)
{
  const char *range = find_target_range (text);
  g_autofree char *first = NULL;
  guint16 port;

  spec->n_targets = 1;
  if (range != NULL)
    {
      if (!parse_ports (spec, range, &port, &spec->n_targets, error))
        return FALSE;
      if (spec->n_targets != spec->n_ports)
        return refuse (spec, _ ("the ranges of ports must be of the same length"), error);
      first = g_strndup (text, strchr (range, '-') - text);
    }

  spec->target = vt_target_parse (first != NULL ? first : text, error);
  if (spec->target == NULL)
    {
      g_autofree char *escaped = vt_text_escape (spec->text, -1);

      g_prefix_error (error, _ ("“%s”: "), escaped);
    }
  return spec->target != NULL;
}

static gboolean
parse_host_header (Spec *spec, const char *value, GError **error)
{
  if (g_strcmp0 (value, WORD_AUTO) == 0)
    return TRUE;
  if (g_strcmp0 (value, WORD_KEEP) == 0)
    {
      spec->host_header_mode = VT_HOST_HEADER_KEEP;
      return TRUE;
    }
  if (value == NULL || !vt_forward_is_host (value))
    return refuse (spec, _ ("the option host-header must be a host name, keep or auto"), error);
  spec->host_header_mode = VT_HOST_HEADER_REPLACE;
  spec->host_header = g_strdup (value);
  return TRUE;
}

static gboolean
parse_proxy_protocol (Spec *spec, const char *value, GError **error)
{
  if (g_strcmp0 (value, "1") != 0 && g_strcmp0 (value, "2") != 0)
    return refuse (spec, _ ("the option proxy-protocol must be 1 or 2"), error);
  spec->proxy_protocol = (unsigned int) (value[0] - '0');
  return TRUE;
}

static gboolean
parse_forwarded (Spec *spec, const char *value, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (forwarded_words); i++)
    if (g_strcmp0 (value, forwarded_words[i].word) == 0)
      {
        spec->forwarded_headers = forwarded_words[i].headers;
        return TRUE;
      }
  return refuse (spec, _ ("the option forwarded must be x-forwarded, forwarded or both"), error);
}

static gboolean
parse_http (Spec *spec, const char *value, GError **error)
{
  if (value != NULL)
    return refuse (spec, _ ("the option http takes no value"), error);
  spec->http = TRUE;
  return TRUE;
}

static gboolean
parse_health (Spec *spec, const char *value, GError **error)
{
  guint64 seconds;

  if (value == NULL
      || !g_ascii_string_to_unsigned (value, 10, 1, VT_FORWARD_MAX_HEALTH_INTERVAL, &seconds, NULL))
    return refuse (spec, _ ("the option health must be a number of seconds from 1 to 86400"),
                   error);
  spec->health_interval = (unsigned int) seconds;
  return TRUE;
}

/* `value` is NULL where there is no sign of equality. */
static const struct {
  const char *name;
  gboolean (*parse) (Spec *spec, const char *value, GError **error);
} options[] = {
  { "host-header", parse_host_header }, { "proxy-protocol", parse_proxy_protocol },
  { "forwarded", parse_forwarded },     { "http", parse_http },
  { "health", parse_health },
};

static gboolean
parse_option (Spec *spec, const char *option, GError **error)
{
  const char *equals = strchr (option, '=');
  size_t length = equals != NULL ? (size_t) (equals - option) : strlen (option);
  g_autofree char *escaped = NULL;
  g_autofree char *what = NULL;

  for (unsigned int i = 0; i < G_N_ELEMENTS (options); i++)
    {
      if (strlen (options[i].name) != length || strncmp (options[i].name, option, length) != 0)
        continue;
      if (spec->options_seen & 1u << i)
        {
          what = g_strdup_printf (_ ("the option %s is there twice"), options[i].name);
          return refuse (spec, what, error);
        }
      spec->options_seen |= 1u << i;
      return options[i].parse (spec, equals != NULL ? equals + 1 : NULL, error);
    }
  escaped = vt_text_escape (option, -1);
  what = g_strdup_printf (_ ("“%s” is no option; the options are host-header=NAME, "
                             "proxy-protocol=VERSION, forwarded=HEADERS, http and health=SECONDS"),
                          escaped);
  return refuse (spec, what, error);
}

/* Splits at commas, except at those that a backslash takes away their meaning. */
static GPtrArray *
split (const char *text)
{
  g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GString) part = g_string_new (NULL);

  for (; *text != '\0'; text++)
    {
      if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
        g_string_append_c (part, *++text);
      else if (*text != ',')
        g_string_append_c (part, *text);
      else
        {
          g_ptr_array_add (parts, g_strdup (part->str));
          g_string_truncate (part, 0);
        }
    }
  g_ptr_array_add (parts, g_strdup (part->str));
  return g_steal_pointer (&parts);
}

static gboolean
parse_spec (Spec *spec, GError **error)
{
  const char *equals = strchr (spec->text, '=');
  g_autofree char *listen = NULL;
  g_autoptr(GPtrArray) parts = NULL;

  if (equals == NULL)
    return refuse (spec, _ ("the target is missing; a forward is [ADDRESS:]PORT=TARGET"), error);
  listen = g_strndup (spec->text, equals - spec->text);
  if (!parse_listen (spec, listen, error))
    return FALSE;

  parts = split (equals + 1);
  if (!parse_target (spec, g_ptr_array_index (parts, 0), error))
    return FALSE;
  for (unsigned int i = 1; i < parts->len; i++)
    if (!parse_option (spec, g_ptr_array_index (parts, i), error))
      return FALSE;
  return TRUE;
}

static VtForward *
make_forward (const Spec *spec, unsigned int index, GError **error)
{
  g_autoptr(VtTarget) target = NULL;
  g_autoptr(VtForward) forward = NULL;

  if (spec->n_targets > 1)
    target = vt_target_shift (spec->target, index);
  else
    target = vt_target_ref (spec->target);
  forward = vt_forward_new ((guint16) (spec->first_port + index), target);
  vt_forward_set_listen_address (forward, spec->address);
  vt_forward_set_host_header_mode (forward, spec->host_header_mode);
  if (spec->host_header != NULL)
    vt_forward_set_host_header (forward, spec->host_header);
  vt_forward_set_proxy_protocol (forward, spec->proxy_protocol);
  vt_forward_set_forwarded_headers (forward, spec->forwarded_headers);
  vt_forward_set_http (forward, spec->http);
  vt_forward_set_health_interval (forward, spec->health_interval);
  if (spec->host_names != NULL
      && !vt_forward_set_host_names (forward, (const char *const *) spec->host_names, error))
    return NULL;
  return g_steal_pointer (&forward);
}

/**
 * vt_forward_parse:
 * @text: a spec of one forward, or of a range of them
 * @error: return location for an error
 *
 * Reads forwards from text, as they stand on a command line or in a settings file:
 * `[ADDRESS:]PORT[-PORT]=TARGET[,OPTION[=VALUE]…]`, or
 * `NAME[,NAME…]=TARGET[,OPTION[=VALUE]…]`.
 *
 * - `9000=localhost:3000`: the server's port 9000 goes to port 3000 here;
 * - `0=3000`: the server chooses the port;
 * - `*:9000=3000`: the server listens at all of its addresses; an IPv4 address, an IPv6 address in
 *   brackets and `localhost` can stand there too;
 * - `9000-9009=localhost:3000-3009`: two ranges of the same length, port by port;
 * - `9000-9009=localhost:3000`: a range that goes to one target, all of it;
 * - `9000=tls://example.com:443,host-header=keep`: with an option;
 * - `app.example.com=localhost:3000`: requests for this host name, of the kind
 *   %VT_LISTEN_KIND_HTTP;
 * - `*.dev.example.com,dev.example.com=3000`: for all names below one, and for that itself.
 *
 * The target is one that [func@Vt.Target.parse] reads. The options, in any order and each once, are
 *
 * - `host-header=NAME`, `host-header=keep` or `host-header=auto` (the default): see
 *   [property@Vt.Forward:host-header-mode];
 * - `proxy-protocol=1` or `proxy-protocol=2`: see [property@Vt.Forward:proxy-protocol];
 * - `forwarded=x-forwarded`, `forwarded=forwarded` or `forwarded=both`: see
 *   [property@Vt.Forward:forwarded-headers];
 * - `http`: see [property@Vt.Forward:http];
 * - `health=SECONDS`: see [property@Vt.Forward:health-interval].
 *
 * They begin at the first comma after the target: a comma inside the path of a Unix socket is
 * written `\,`, and a backslash before a comma or a backslash `\\`. A spec stands for at most 1024
 * forwards.
 *
 * Returns: (transfer container) (element-type VtForward): the forwards in the order of their ports,
 *   or the one for its names, at least one, each of which the array holds a reference to; or
 *   %NULL with `VT_ERROR_INVALID_ARGUMENT` and a message that says what is wrong with @text
 *
 * Since: 1.0
 */
GPtrArray *
vt_forward_parse (const char *text, GError **error)
{
  g_auto(Spec) spec = { .text = text };
  g_autoptr(GPtrArray) forwards = NULL;

  g_return_val_if_fail (text != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!parse_spec (&spec, error))
    return NULL;

  forwards = g_ptr_array_new_full (spec.n_ports, g_object_unref);
  for (unsigned int i = 0; i < spec.n_ports; i++)
    {
      VtForward *forward = make_forward (&spec, i, error);

      if (forward == NULL)
        return NULL;
      g_ptr_array_add (forwards, forward);
    }
  return g_steal_pointer (&forwards);
}

static void
append_listen (GString *spec, VtForward *self)
{
  const char *address = vt_forward_get_listen_address (self);

  if (address != NULL)
    g_string_append_printf (spec, strchr (address, ':') != NULL ? "[%s]:" : "%s:", address);
  g_string_append_printf (spec, "%u", vt_forward_get_listen_port (self));
}

static void
append_host_names (GString *spec, VtForward *self)
{
  const char *const *names = vt_forward_get_host_names (self);
  g_autofree char *list = names != NULL ? g_strjoinv (",", (char **) names) : NULL;

  g_string_append (spec, list != NULL ? list : "");
}

static void
append_target (GString *spec, VtTarget *target)
{
  g_autofree char *text = vt_target_to_string (target);

  g_string_append_c (spec, '=');
  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == ',' || *p == '\\')
        g_string_append_c (spec, '\\');
      g_string_append_c (spec, *p);
    }
}

/* Host names know no case, but the two words do: a host of that name is written in capitals. */
static void
append_host_header (GString *spec, const char *host)
{
  g_autofree char *capitals = NULL;

  if (g_str_equal (host, WORD_AUTO) || g_str_equal (host, WORD_KEEP))
    host = capitals = g_ascii_strup (host, -1);
  g_string_append_printf (spec, ",host-header=%s", host);
}

static void
append_options (GString *spec, VtForward *self)
{
  VtHostHeaderMode mode = vt_forward_get_host_header_mode (self);

  if (mode == VT_HOST_HEADER_KEEP)
    g_string_append (spec, ",host-header=" WORD_KEEP);
  else if (mode == VT_HOST_HEADER_REPLACE)
    append_host_header (spec, vt_forward_get_host_header (self));
  if (vt_forward_get_proxy_protocol (self) != 0)
    g_string_append_printf (spec, ",proxy-protocol=%u", vt_forward_get_proxy_protocol (self));
  for (size_t i = 0; i < G_N_ELEMENTS (forwarded_words); i++)
    if (vt_forward_get_forwarded_headers (self) == forwarded_words[i].headers)
      g_string_append_printf (spec, ",forwarded=%s", forwarded_words[i].word);
  if (vt_forward_get_http (self))
    g_string_append (spec, ",http");
  if (vt_forward_get_health_interval (self) != 0)
    g_string_append_printf (spec, ",health=%u", vt_forward_get_health_interval (self));
}

/**
 * vt_forward_to_string:
 * @self: a forward
 *
 * Writes what the forward asks for as text, in the form that [func@Vt.Forward.parse] reads back.
 *
 * A forward without a target, which has no such form, gives the left side alone: `9000`. Neither
 * has one of the kind %VT_LISTEN_KIND_NONE, which gives the right side alone: `=localhost:3000`.
 *
 * Returns: (transfer full): the text
 *
 * Since: 1.0
 */
char *
vt_forward_to_string (VtForward *self)
{
  g_autoptr(GString) spec = NULL;
  VtTarget *target;

  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  spec = g_string_new (NULL);
  if (vt_forward_get_listen_kind (self) == VT_LISTEN_KIND_PORT)
    append_listen (spec, self);
  else if (vt_forward_get_listen_kind (self) == VT_LISTEN_KIND_HTTP)
    append_host_names (spec, self);

  target = vt_forward_get_target (self);
  if (target != NULL)
    append_target (spec, target);

  append_options (spec, self);
  return g_string_free (g_steal_pointer (&spec), FALSE);
}
