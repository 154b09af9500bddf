/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-forward.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"

/* More than any address, host or path of a socket has. */
#define MAX_TEXT 512

#define MAX_HEALTH 86400

#define LISTEN_CHARACTERS G_CSET_DIGITS G_CSET_a_2_z G_CSET_A_2_Z ".:*[]-,"
#define HOST_CHARACTERS G_CSET_DIGITS G_CSET_a_2_z G_CSET_A_2_Z ".-_:[]"

static gboolean
consists_of (const char *text, const char *characters)
{
  size_t length = strlen (text);

  return length >= 1 && length <= MAX_TEXT && strspn (text, characters) == length;
}

static gboolean
fail (const char *reason, GError **error)
{
  g_propagate_error (error, vts_error_invalid (reason));
  return FALSE;
}

/* Lets the library read a spec of which everything but one part is ours. */
static VtForward *
parse (const char *spec, GError **error)
{
  g_autoptr(GError) reason = NULL;
  g_autoptr(GPtrArray) forwards = vt_forward_parse (spec, &reason);

  if (forwards == NULL)
    {
      g_propagate_error (error, vts_error_from (reason));
      return NULL;
    }
  if (forwards->len != 1)
    {
      fail (_ ("A range of ports is more than one forward"), error);
      return NULL;
    }
  return g_object_ref (forwards->pdata[0]);
}

/* The characters of an option and of a target are none of these. */
static VtForward *
parse_listen (const char *listen, GError **error)
{
  g_autofree char *spec = NULL;

  if (!consists_of (listen, LISTEN_CHARACTERS))
    {
      fail (_ ("What to listen on must be a port, an address and a port, or host names"), error);
      return NULL;
    }
  spec = g_strconcat (listen, "=1", NULL);
  return parse (spec, error);
}

static VtTarget *
parse_target (const char *target, GError **error)
{
  g_autoptr(GError) reason = NULL;
  VtTarget *parsed = NULL;

  if (strlen (target) > MAX_TEXT || !g_utf8_validate (target, -1, NULL))
    {
      fail (_ ("The target is too long, or no text"), error);
      return NULL;
    }
  parsed = vt_target_parse (target, &reason);
  if (parsed == NULL)
    g_propagate_error (error, vts_error_from (reason));
  return parsed;
}

/* One option, of characters with which it cannot be more than one. */
static VtForward *
parse_option (const char *name, const char *value, const char *what, GError **error)
{
  g_autofree char *spec = NULL;

  if (!consists_of (value, HOST_CHARACTERS))
    {
      fail (what, error);
      return NULL;
    }
  spec = g_strdup_printf ("1=1,%s=%s", name, value);
  return parse (spec, error);
}

static VtForward *
parse_host_header (const char *host_header, GError **error)
{
  return parse_option ("host-header", host_header != NULL ? host_header : "auto",
                       _ ("host-header must be a host name, keep or auto"), error);
}

static VtForward *
parse_forwarded (const char *forwarded, GError **error)
{
  return parse_option ("forwarded", forwarded,
                       _ ("forwarded must be x-forwarded, forwarded or both"), error);
}

static gboolean
check_options (const VtsForwardOptions *options, GError **error)
{
  g_autoptr(VtForward) host = parse_host_header (options->host_header, error);
  g_autoptr(VtForward) forwarded = NULL;

  if (host == NULL)
    return FALSE;
  if (options->forwarded != NULL)
    {
      forwarded = parse_forwarded (options->forwarded, error);
      if (forwarded == NULL)
        return FALSE;
    }
  if (options->proxy_protocol > 2)
    return fail (_ ("proxy-protocol must be 1 or 2"), error);
  if (options->health > MAX_HEALTH)
    return fail (_ ("health must be a number of seconds from 1 to 86400"), error);
  return TRUE;
}

VtsForward *
vts_forward_new (const char *listen,
                 const char *target,
                 const VtsForwardOptions *options,
                 GError **error)
{
  static const VtsForwardOptions none = { 0 };
  const VtsForwardOptions *given = options != NULL ? options : &none;
  g_autoptr(VtForward) forward = parse_listen (listen, error);
  g_autoptr(VtTarget) parsed = forward != NULL ? parse_target (target, error) : NULL;
  VtsForward *self = NULL;

  if (parsed == NULL || !check_options (given, error))
    return NULL;
  self = g_new0 (VtsForward, 1);
  self->listen = vt_forward_to_string (forward);
  *strchr (self->listen, '=') = '\0';
  self->target = vt_target_to_string (parsed);
  self->host_header = g_strdup (given->host_header);
  self->proxy_protocol = given->proxy_protocol;
  self->forwarded = g_strdup (given->forwarded);
  self->http = !!given->http;
  self->health = given->health;
  return self;
}

VtsForward *
vts_forward_copy (const VtsForward *self)
{
  VtsForward *copy = g_new0 (VtsForward, 1);

  copy->listen = g_strdup (self->listen);
  copy->target = g_strdup (self->target);
  copy->host_header = g_strdup (self->host_header);
  copy->proxy_protocol = self->proxy_protocol;
  copy->forwarded = g_strdup (self->forwarded);
  copy->http = self->http;
  copy->health = self->health;
  return copy;
}

void
vts_forward_free (VtsForward *self)
{
  g_free (self->listen);
  g_free (self->target);
  g_free (self->host_header);
  g_free (self->forwarded);
  g_free (self);
}

gboolean
vts_forward_equal (const VtsForward *a, const VtsForward *b)
{
  return strcmp (a->listen, b->listen) == 0 && strcmp (a->target, b->target) == 0
         && g_strcmp0 (a->host_header, b->host_header) == 0
         && a->proxy_protocol == b->proxy_protocol && g_strcmp0 (a->forwarded, b->forwarded) == 0
         && a->http == b->http && a->health == b->health;
}

gboolean
vts_forward_collides (const VtsForward *a, const VtsForward *b)
{
  const char *colon = strrchr (a->listen, ':');

  return strcmp (colon != NULL ? colon + 1 : a->listen, "0") != 0
         && strcmp (a->listen, b->listen) == 0;
}

static void
apply_options (const VtsForward *self, VtForward *forward)
{
  g_autoptr(VtForward) host = parse_host_header (self->host_header, NULL);
  g_autoptr(VtForward) forwarded = NULL;

  vt_forward_set_host_header_mode (forward, vt_forward_get_host_header_mode (host));
  if (vt_forward_get_host_header (host) != NULL)
    vt_forward_set_host_header (forward, vt_forward_get_host_header (host));
  if (self->forwarded != NULL)
    {
      forwarded = parse_forwarded (self->forwarded, NULL);
      vt_forward_set_forwarded_headers (forward, vt_forward_get_forwarded_headers (forwarded));
    }
  vt_forward_set_proxy_protocol (forward, self->proxy_protocol);
  vt_forward_set_http (forward, self->http);
  vt_forward_set_health_interval (forward, self->health);
}

/* All texts were checked, or could not be here. */
VtForward *
vts_forward_make (const VtsForward *self)
{
  g_autofree char *listen = g_strconcat (self->listen, "=1", NULL);
  g_autoptr(VtForward) source = parse (listen, NULL);
  g_autoptr(VtTarget) target = parse_target (self->target, NULL);
  VtForward *forward = vt_forward_new (vt_forward_get_listen_port (source), target);

  vt_forward_set_listen_address (forward, vt_forward_get_listen_address (source));
  vt_forward_set_host_names (forward, vt_forward_get_host_names (source), NULL);
  apply_options (self, forward);
  return forward;
}
