/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-server-limits.h"

#include <glib/gi18n.h>

#define MEBIBYTE (1024 * 1024)
#define MOST_MEBIBYTES (1024 * 1024)

/* The option has the name of the server's property. */
static const struct {
  const char *name;
  const char *help;
  const char *argument;
  guint64 unit;
} limits[] = {
  { "max-sessions", N_ ("Clients at a time"), N_ ("COUNT"), 1 },
  { "max-sessions-per-address", N_ ("… from one address, 0: any (100)"), "N", 1 },
  { "max-forwards", N_ ("Ports a client"), N_ ("COUNT"), 1 },
  { "max-streams", N_ ("Open connections a client"), N_ ("COUNT"), 1 },
  { "max-opening", N_ ("… that wait for its answer (1024)"), N_ ("COUNT"), 1 },
  { "max-accept-rate", N_ ("… that a port takes a second, 0: any"), N_ ("COUNT"), 1 },
  { "max-buffer", N_ ("Memory for a client's connections (128)"), N_ ("MIB"), MEBIBYTE },
  { "max-window", N_ ("… that one of them may have (16777216)"), N_ ("BYTES"), 1 },
  { "max-head-size", N_ ("Head of a request (16384)"), N_ ("BYTES"), 1 },
  { "request-timeout", N_ ("… and time for it (10)"), N_ ("SECONDS"), 1 },
  { "max-message-size", N_ ("Message of a client (1048576)"), N_ ("BYTES"), 1 },
  { "max-json-depth", N_ ("… and how deep it may be nested (8)"), N_ ("LEVELS"), 1 },
  { "max-control-rate", N_ ("Requests a second of a client, 0: any"), N_ ("COUNT"), 1 },
  { "max-ping-rate", N_ ("Pings a second of a client, 0: any"), N_ ("COUNT"), 1 },
  { "max-reset-rate", N_ ("Resets a second of a client, 0: any"), N_ ("COUNT"), 1 },
};

G_STATIC_ASSERT (G_N_ELEMENTS (limits) == VT_TOOL_SERVER_N_LIMITS);

void
vt_tool_server_limits_fill (VtToolServerLimits *self, GOptionEntry *entries)
{
  for (size_t i = 0; i < G_N_ELEMENTS (limits); i++)
    entries[i] = (GOptionEntry){
      limits[i].name, 0, 0, G_OPTION_ARG_STRING, &self->texts[i], limits[i].help, limits[i].argument
    };
}

/* What has a unit fits into no number that is read elsewhere. */
static gboolean
set_mebibytes (const char *option, const char *text, VtServer *server, GError **error)
{
  guint64 n = 0;

  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (text, 10, 1, MOST_MEBIBYTES, &n, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("%s “%s”: a number from %u to %u is needed"), option, text, 1,
                   MOST_MEBIBYTES);
      return FALSE;
    }
  vt_server_set_max_buffer (server, n * MEBIBYTE);
  return TRUE;
}

static gboolean
set_limit (VtToolServerLimits *self, size_t i, VtServer *server, GError **error)
{
  g_autofree char *option = g_strconcat ("--", limits[i].name, NULL);

  if (limits[i].unit == MEBIBYTE)
    return set_mebibytes (option, self->texts[i], server, error);
  return vt_tool_options_set_number (option, self->texts[i], G_OBJECT (server), limits[i].name,
                                     error);
}

gboolean
vt_tool_server_limits_apply (VtToolServerLimits *self,
                             VtToolCommon *common,
                             VtServer *server,
                             GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      GError *reason = NULL;

      if (!set_limit (self, i, server, &reason)
          && !vt_tool_options_note_fault (common, reason, error))
        return FALSE;
    }
  return TRUE;
}

void
vt_tool_server_limits_clear (VtToolServerLimits *self)
{
  for (size_t i = 0; i < G_N_ELEMENTS (limits); i++)
    g_free (self->texts[i]);
}
