/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "vts-secrets-file.h"
#include "vts-service.h"
#ifdef HAVE_LIBSECRET
#include "vts-secrets-keyring.h"
#endif

/* Milliseconds, see VtsServiceOptions. */
#define IDLE 30000
#define LINGER 1000

static void
init_locale (void)
{
  const char *directory = g_getenv ("VT_LOCALEDIR");

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, directory != NULL ? directory : LOCALE_DIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}

/* Every tunnelled connection needs a descriptor, and the usual soft limit is 1024. */
static void
raise_descriptor_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
    g_debug ("Cannot raise the limit of descriptors: %s", g_strerror (errno));
}

static VtsVault *
make_vault (GDBusConnection *connection)
{
  g_autofree char *folder = g_build_filename (g_get_user_data_dir (), "vtunnel", "secrets", NULL);
  g_autoptr(VtsSecretsFile) file = vts_secrets_file_new (folder);

#ifdef HAVE_LIBSECRET
  g_autoptr(VtsSecretsKeyring) keyring = vts_secrets_keyring_new (connection);

  return vts_vault_new (VTS_SECRETS (file), VTS_SECRETS (keyring));
#else
  return vts_vault_new (VTS_SECRETS (file), NULL);
#endif
}

static VtsManager *
make_manager (VtsVault *vault)
{
  g_autofree char *folder = g_build_filename (g_get_user_config_dir (), "vtunnel", "tunnels", NULL);

  return vts_manager_new (vts_store_new (folder), vault);
}

/* Tests do not wait half a minute. */
static unsigned int
get_time (const char *variable, unsigned int usual)
{
  const char *text = g_getenv (variable);
  guint64 milliseconds = usual;

  if (text != NULL)
    g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT, &milliseconds, NULL);
  return (unsigned int) milliseconds;
}

static int
run (gboolean is_managed)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GDBusConnection) connection = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &error);
  g_autoptr(VtsVault) vault = NULL;
  g_autoptr(VtsManager) manager = NULL;
  g_autoptr(VtsService) service = NULL;
  VtsServiceOptions options = {
    .is_managed = is_managed,
    .idle = get_time ("VTUNNEL_SESSION_IDLE_MS", IDLE),
    .linger = get_time ("VTUNNEL_SESSION_LINGER_MS", LINGER),
  };

  if (connection == NULL)
    {
      g_printerr ("vtunnel-session: %s\n", error->message);
      return 1;
    }
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  vault = make_vault (connection);
  manager = make_manager (vault);
  options.has_keyring = vts_vault_has (vault, VTS_STORAGE_KEYRING);
  service = vts_service_new (connection, manager, &options);
  return vts_service_run (service) ? 0 : 1;
}

int
main (int argc, char **argv)
{
  gboolean version = FALSE;
  gboolean is_managed = FALSE;
  const GOptionEntry entries[] = {
    { "managed", 0, 0, G_OPTION_ARG_NONE, &is_managed,
      N_ ("Started by a service manager that ends it when it gives its name back"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, N_ ("Show the version"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr(GOptionContext) options = NULL;
  g_autoptr(GError) error = NULL;

  init_locale ();
  options = g_option_context_new (NULL);
  g_option_context_set_summary (
      options, _ ("Keeps tunnels open for the programs of a desktop session, which reach it over\n"
                  "D-Bus. It is started when it is needed."));
  g_option_context_add_main_entries (options, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (options, &argc, &argv, &error))
    {
      g_printerr ("vtunnel-session: %s\n", error->message);
      return 2;
    }
  if (version)
    {
      g_print ("vtunnel-session " PACKAGE_VERSION "\n");
      return 0;
    }
  signal (SIGPIPE, SIG_IGN);
  umask (0077);
  raise_descriptor_limit ();
  return run (is_managed);
}
