/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* What a client shows, "vt_NAME_SECRET", and what an access file keeps of it,
 * "sha256:SALT:HASH". The secret is 256 bits from the kernel, so nobody guesses it, however fast a
 * hash can be computed: what makes hashes of passwords slow would only make the server slow. Pure
 * functions, but for the random numbers. */

#define VT_ACCESS_NAME_MAX 32
#define VT_ACCESS_SALT_SIZE 16
#define VT_ACCESS_DIGEST_SIZE 32

typedef struct {
  uint8_t salt[VT_ACCESS_SALT_SIZE];
  uint8_t digest[VT_ACCESS_DIGEST_SIZE]; /* HMAC-SHA256 of the whole token, keyed with the salt */
} VtAccessHash;

/* 1 to 32 characters of a-z, 0-9 and "-". */
gboolean vt_access_name_is_valid (const char *name);

/* Whoever has a token wipes it. */
char *vt_access_token_new (const char *name);
/* Newly allocated; NULL if that is not how a token is written. */
char *vt_access_token_get_name (const char *token);

/* With a new salt. */
void vt_access_hash_init (VtAccessHash *self, const char *token);
/* FALSE for what is not written exactly so. */
gboolean vt_access_hash_parse (VtAccessHash *self, const char *text);
char    *vt_access_hash_format (const VtAccessHash *self);
/* In a time that does not depend on how much of it matches. */
gboolean vt_access_hash_matches (const VtAccessHash *self, const char *token);
gboolean vt_access_hash_equal (const VtAccessHash *self, const VtAccessHash *other);

