/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-forward.h"

#include <glib/gi18n.h>
#include <string.h>

#include "vts-error.h"

/* More than any address, host or path of a socket has. */
#define MAX_TEXT 512

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

static gboolean
check_host_header (const char *host_header, GError **error)
{
  g_autofree char *spec = NULL;
  g_autoptr(VtForward) forward = NULL;

  if (host_header == NULL)
    return TRUE;
  if (!consists_of (host_header, HOST_CHARACTERS))
    return fail (_ ("host-header must be a host name, keep or auto"), error);
  spec = g_strconcat ("1=1,host-header=", host_header, NULL);
  forward = parse (spec, error);
  return forward != NULL;
}

VtsForward *
vts_forward_new (const char *listen,
                 const char *target,
                 const char *host_header,
                 unsigned int proxy_protocol,
                 GError **error)
{
  g_autoptr(VtForward) forward = parse_listen (listen, error);
  g_autoptr(VtTarget) parsed = forward != NULL ? parse_target (target, error) : NULL;
  VtsForward *self = NULL;

  if (parsed == NULL || !check_host_header (host_header, error))
    return NULL;
  if (proxy_protocol > 2)
    {
      fail (_ ("proxy-protocol must be 1 or 2"), error);
      return NULL;
    }
  self = g_new0 (VtsForward, 1);
  self->listen = vt_forward_to_string (forward);
  *strchr (self->listen, '=') = '\0';
  self->target = vt_target_to_string (parsed);
  self->host_header = g_strdup (host_header);
  self->proxy_protocol = proxy_protocol;
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
  return copy;
}

void
vts_forward_free (VtsForward *self)
{
  g_free (self->listen);
  g_free (self->target);
  g_free (self->host_header);
  g_free (self);
}

gboolean
vts_forward_equal (const VtsForward *a, const VtsForward *b)
{
  return strcmp (a->listen, b->listen) == 0 && strcmp (a->target, b->target) == 0
         && g_strcmp0 (a->host_header, b->host_header) == 0
         && a->proxy_protocol == b->proxy_protocol;
}

gboolean
vts_forward_collides (const VtsForward *a, const VtsForward *b)
{
  const char *colon = strrchr (a->listen, ':');

  return strcmp (colon != NULL ? colon + 1 : a->listen, "0") != 0
         && strcmp (a->listen, b->listen) == 0;
}

/* Both texts were checked, or could not be here. */
VtForward *
vts_forward_make (const VtsForward *self)
{
  g_autofree char *listen = g_strconcat (self->listen, "=1", NULL);
  g_autofree char *host =
      g_strconcat ("1=1,host-header=", self->host_header != NULL ? self->host_header : "auto",
                   NULL);
  g_autoptr(VtForward) source = parse (listen, NULL);
  g_autoptr(VtForward) options = parse (host, NULL);
  g_autoptr(VtTarget) target = parse_target (self->target, NULL);
  VtForward *forward = vt_forward_new (vt_forward_get_listen_port (source), target);

  vt_forward_set_listen_address (forward, vt_forward_get_listen_address (source));
  vt_forward_set_host_names (forward, vt_forward_get_host_names (source), NULL);
  vt_forward_set_host_header_mode (forward, vt_forward_get_host_header_mode (options));
  if (vt_forward_get_host_header (options) != NULL)
    vt_forward_set_host_header (forward, vt_forward_get_host_header (options));
  vt_forward_set_proxy_protocol (forward, self->proxy_protocol);
  return forward;
}
