/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-head-changes-private.h"

#include <string.h>

#include "vt-forward-private.h"

#define X_FORWARDED_FOR "X-Forwarded-For"
#define X_FORWARDED_HOST "X-Forwarded-Host"
#define X_FORWARDED_PROTO "X-Forwarded-Proto"
#define FORWARDED "Forwarded"

/* What came to the port and can be read here came without TLS. A proxy in front that has taken it
 * off says so itself, in what is there already. */
#define PROTO "http"
/* Of a user who is not known it is said that they are not (RFC 7239, section 6.2): left out, what
 * somebody else has written would stand in their place. */
#define UNKNOWN "unknown"

static char *
describe_user (GSocketAddress *user)
{
  if (!G_IS_INET_SOCKET_ADDRESS (user))
    return g_strdup (UNKNOWN);
  return g_inet_address_to_string (
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (user)));
}

VtHeadChanges *
vt_head_changes_new (const char *host, VtForwardedHeaders forwarded, GSocketAddress *user)
{
  VtHeadChanges *self;

  if (host == NULL && forwarded == VT_FORWARDED_HEADERS_NONE)
    return NULL;
  self = g_new0 (VtHeadChanges, 1);
  self->host = g_strdup (host);
  self->forwarded = forwarded;
  self->user = describe_user (user);
  return self;
}

static char *
host_for_target (VtForward *forward, VtTarget *target)
{
  const char *host;

  switch (vt_forward_get_host_header_mode (forward))
    {
    case VT_HOST_HEADER_KEEP:
      return NULL;
    case VT_HOST_HEADER_REPLACE:
      return g_strdup (vt_forward_get_host_header (forward));
    case VT_HOST_HEADER_AUTO:
    default:
      if (vt_target_get_kind (target) != VT_TARGET_TLS)
        return NULL;
      host = vt_target_get_host (target);
      return strchr (host, ':') != NULL ? g_strdup_printf ("[%s]", host) : g_strdup (host);
    }
}

VtHeadChanges *
vt_head_changes_new_for_forward (VtForward *forward, GSocketAddress *user)
{
  g_autofree char *host = host_for_target (forward, vt_forward_get_target (forward));

  return vt_head_changes_new (host, vt_forward_get_forwarded_headers (forward), user);
}

void
vt_head_changes_free (VtHeadChanges *self)
{
  g_free (self->host);
  g_free (self->user);
  g_free (self);
}

void
vt_head_record_clear (VtHeadRecord *self)
{
  if (self->x_forwarded_for != NULL)
    g_string_free (self->x_forwarded_for, TRUE);
  if (self->forwarded != NULL)
    g_string_free (self->forwarded, TRUE);
  g_free (self->host);
}

/* A fold is a space (RFC 9112, section 5.2). */
static char *
read_value (const char *value, size_t length)
{
  char *text = g_strndup (value, length);

  return g_strstrip (g_strdelimit (text, "\r\n", ' '));
}

/* Several fields of a name are one list (RFC 9110, section 5.3). */
static void
add_to_list (GString **list, const char *value)
{
  if (value[0] == '\0')
    return;
  if (*list == NULL)
    *list = g_string_new (value);
  else
    g_string_append_printf (*list, ", %s", value);
}

/* In a quote that is not closed, what is added would be lost. */
static gboolean
closes_quotes (const char *value)
{
  gboolean quoted = FALSE;

  for (; *value != '\0'; value++)
    {
      if (*value == '"')
        quoted = !quoted;
      else if (quoted && *value == '\\' && *++value == '\0')
        return FALSE;
    }
  return !quoted;
}

/* Many a server takes X_Forwarded_For for the other, as CGI cannot tell them from each other. */
static gboolean
is_named (const char *name, size_t length, const char *wanted, gboolean *exactly)
{
  *exactly = TRUE;
  if (length != strlen (wanted))
    return FALSE;
  for (size_t i = 0; i < length; i++)
    {
      gboolean is_alike = wanted[i] == '-' && name[i] == '_';

      if (!is_alike && g_ascii_tolower (name[i]) != g_ascii_tolower (wanted[i]))
        return FALSE;
      *exactly = *exactly && !is_alike;
    }
  return TRUE;
}

static gboolean
take_x_forwarded (VtHeadRecord *self, const char *name, size_t length, const char *value)
{
  gboolean exactly;

  if (is_named (name, length, X_FORWARDED_FOR, &exactly))
    {
      if (exactly)
        add_to_list (&self->x_forwarded_for, value);
      return FALSE;
    }
  if (is_named (name, length, X_FORWARDED_PROTO, &exactly))
    self->has_proto = self->has_proto || exactly;
  else if (is_named (name, length, X_FORWARDED_HOST, &exactly))
    self->has_host = self->has_host || exactly;
  return exactly;
}

static gboolean
take_forwarded (VtHeadRecord *self, const char *name, size_t length, const char *value)
{
  gboolean exactly;

  if (!is_named (name, length, FORWARDED, &exactly))
    return TRUE;
  if (closes_quotes (value))
    add_to_list (&self->forwarded, value);
  return FALSE;
}

gboolean
vt_head_record_take (VtHeadRecord *self,
                     const char *name,
                     size_t name_length,
                     const char *value,
                     size_t value_length)
{
  VtForwardedHeaders wanted = self->changes->forwarded;
  g_autofree char *text = NULL;
  gboolean exactly;

  if (wanted == VT_FORWARDED_HEADERS_NONE)
    return TRUE;
  text = read_value (value, value_length);
  if (is_named (name, name_length, "Host", &exactly) && self->host == NULL)
    self->host = g_strdup (text);
  if (is_named (name, name_length, "Upgrade", &exactly))
    self->upgrades = TRUE;
  return ((wanted & VT_FORWARDED_HEADERS_X_FORWARDED) == 0
          || take_x_forwarded (self, name, name_length, text))
         && ((wanted & VT_FORWARDED_HEADERS_FORWARDED) == 0
             || take_forwarded (self, name, name_length, text));
}

static void
write_field (GByteArray *output, const char *name, const char *value, const char *line_end)
{
  g_autofree char *line = g_strconcat (name, ": ", value, line_end, NULL);

  g_byte_array_append (output, (const uint8_t *) line, (unsigned int) strlen (line));
}

static void
write_list (GByteArray *output,
            const char *name,
            const GString *before,
            const char *value,
            const char *line_end)
{
  g_autofree char *list = NULL;

  if (before != NULL)
    list = g_strdup_printf ("%s, %s", before->str, value);
  write_field (output, name, list != NULL ? list : value, line_end);
}

/* RFC 7239, section 4: what is no token is quoted, and nothing here needs more than that. */
static char *
make_element (VtHeadRecord *self, gboolean has_host)
{
  const char *user = self->changes->user;
  gboolean is_ipv6 = strchr (user, ':') != NULL;
  g_autofree char *host =
      has_host ? g_strdup_printf (strpbrk (self->host, ":[]") != NULL ? ";host=\"%s\"" : ";host=%s",
                                  self->host)
               : g_strdup ("");

  return g_strdup_printf (is_ipv6 ? "for=\"[%s]\"%s;proto=" PROTO : "for=%s%s;proto=" PROTO, user,
                          host);
}

void
vt_head_record_write (VtHeadRecord *self, const char *line_end, GByteArray *output)
{
  const VtHeadChanges *changes = self->changes;
  gboolean has_host = self->host != NULL && vt_forward_is_host (self->host);
  g_autofree char *element = NULL;

  if (changes->forwarded & VT_FORWARDED_HEADERS_X_FORWARDED)
    {
      write_list (output, X_FORWARDED_FOR, self->x_forwarded_for, changes->user, line_end);
      if (has_host && !self->has_host)
        write_field (output, X_FORWARDED_HOST, self->host, line_end);
      if (!self->has_proto)
        write_field (output, X_FORWARDED_PROTO, PROTO, line_end);
    }
  if (changes->forwarded & VT_FORWARDED_HEADERS_FORWARDED)
    {
      element = make_element (self, has_host);
      write_list (output, FORWARDED, self->forwarded, element, line_end);
    }
}
