/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-tunnel-options.h"

#include <glib/gi18n.h>
#include <libsoup/soup.h>
#include <string.h>

gboolean
vt_tool_options_check_server (const char *server, GError **error)
{
  g_autoptr(GUri) uri = NULL;
  const char *scheme = NULL;

  if (server == NULL)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           _ ("--server is missing: give the server's address, "
                              "such as ws://127.0.0.1:3001/"));
      return FALSE;
    }
  uri = g_uri_parse (server, SOUP_HTTP_URI_FLAGS, NULL);
  scheme = uri != NULL ? g_uri_get_scheme (uri) : "";
  if ((g_str_equal (scheme, "ws") || g_str_equal (scheme, "wss")) && g_uri_get_host (uri) != NULL
      && g_uri_get_host (uri)[0] != '\0')
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("--server “%s”: an address is needed such as ws://127.0.0.1:3001/ or "
                  "wss://example.com/"),
               server);
  return FALSE;
}

static gboolean
parse_forward (const char *text, GPtrArray *forwards, GError **error)
{
  g_autoptr(GError) reason = NULL;
  g_autoptr(GPtrArray) parsed = vt_forward_parse (text, &reason);

  if (parsed == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--forward %s",
                   reason->message);
      return FALSE;
    }
  g_ptr_array_extend_and_steal (forwards, g_steal_pointer (&parsed));
  return TRUE;
}

gboolean
vt_tool_options_parse_forwards (char **texts, GPtrArray **forwards, GError **error)
{
  g_autoptr(GPtrArray) parsed = g_ptr_array_new_with_free_func (g_object_unref);

  if (texts == NULL)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           _ ("--forward is missing: say what to forward, "
                              "such as 9000=localhost:3000"));
      return FALSE;
    }
  for (size_t i = 0; texts[i] != NULL; i++)
    {
      if (!parse_forward (texts[i], parsed, error))
        return FALSE;
    }
  *forwards = g_steal_pointer (&parsed);
  return TRUE;
}

gboolean
vt_tool_options_is_token (const char *text)
{
  if (text[0] == '\0' || strlen (text) > MAX_TOKEN)
    return FALSE;
  for (const char *at = text; *at != '\0'; at++)
    {
      if (!g_ascii_isgraph (*at))
        return FALSE;
    }
  return TRUE;
}
