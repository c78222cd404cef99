/* tls.c: OpenSSL 3 behind tls.h.
 *
 * The session reads and writes through a BIO of our own, because OpenSSL's socket BIO uses write(2) and would
 * raise SIGPIPE in a process whose signals are not ours. Failure texts name the cause a person can act on:
 * whose issuer is not trusted, which name the certificate does not carry, that it has expired. */
#include "common/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tls {
    SSL_CTX *context;
    SSL *ssl;
    BIO_METHOD *method;
    char host[256];
    char why[448];
};

/* ---- the BIO ---- */

static int bio_fd(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_result(BIO *bio, ssize_t got, int retry)
{
    BIO_clear_retry_flags(bio);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    return (int)got;
}

static int bio_read(BIO *bio, char *data, int size)
{
    ssize_t got = recv(bio_fd(bio), data, (size_t)size, 0);
    if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return bio_result(bio, got, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *data, int size)
{
    return bio_result(bio, send(bio_fd(bio), data, (size_t)size, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

/* Without a type number of its own: a process has 127 of those and never gets one back, a broker that is away
 * for an hour costs more attempts. */
static BIO *bio_of(struct tls *tls, int fd)
{
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "umbel socket");
    if (!tls->method)
        return NULL;
    BIO_meth_set_read(tls->method, bio_read);
    BIO_meth_set_write(tls->method, bio_write);
    BIO_meth_set_ctrl(tls->method, bio_ctrl);
    BIO *bio = BIO_new(tls->method);
    if (bio) {
        BIO_set_data(bio, (void *)(intptr_t)fd);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- setting up ---- */

static const char *library_reason(void)
{
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    if (error && ERR_SYSTEM_ERROR(error)) /* a file: these have no text in the library */
        return strerror((int)ERR_GET_REASON(error));
    return reason ? reason : "no reason given";
}

static bool load_files(struct tls *tls, const struct stream_tls *config)
{
    const char *what = "the system's certificates", *file = NULL;
    bool good;
    if (config->ca_file) {
        what = "the CA file", file = config->ca_file;
        good = SSL_CTX_load_verify_file(tls->context, file) == 1;
    } else {
        good = SSL_CTX_set_default_verify_paths(tls->context) == 1;
    }
    if (good && config->cert_file) {
        what = "the certificate", file = config->cert_file;
        good = SSL_CTX_use_certificate_chain_file(tls->context, file) == 1;
    }
    if (good && config->cert_file) {
        what = "the private key", file = config->key_file ? config->key_file : config->cert_file;
        good = SSL_CTX_use_PrivateKey_file(tls->context, file, SSL_FILETYPE_PEM) == 1;
    }
    if (!good)
        snprintf(tls->why, sizeof tls->why, "cannot use %s%s%s: %s", what, file ? " " : "", file ? file : "",
                 library_reason());
    return good;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The name is verified as a name or as an address; an address is never sent as SNI (RFC 6066). */
static bool expect_host(struct tls *tls, bool verify)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    bool address = is_address(tls->host);
    if (!address && tls->host[0] && SSL_set_tlsext_host_name(tls->ssl, tls->host) != 1)
        return false;
    if (!verify)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return address ? X509_VERIFY_PARAM_set1_ip_asc(param, tls->host) == 1
                   : tls->host[0] && X509_VERIFY_PARAM_set1_host(param, tls->host, 0) == 1;
}

static bool prepare(struct tls *tls, const struct stream_tls *config, int fd)
{
    ERR_clear_error();
    snprintf(tls->why, sizeof tls->why, "TLS cannot be set up");
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        return false;
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
    /* A peer that drops the connection without a TLS goodbye is an end of file; the protocols above have
     * their own. */
    SSL_CTX_set_options(tls->context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(tls->context, config->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!load_files(tls, config))
        return false;
    tls->ssl = SSL_new(tls->context);
    if (!tls->ssl || !expect_host(tls, config->verify))
        return false;
    BIO *bio = bio_of(tls, fd);
    if (!bio)
        return false;
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    return true;
}

struct tls *tls_new(const struct stream_tls *config, const char *host, int fd, char *why, size_t why_size)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    const char *name = config->server_name ? config->server_name : host ? host : "";
    snprintf(tls->host, sizeof tls->host, "%s", name);
    if (prepare(tls, config, fd))
        return tls;
    snprintf(why, why_size, "%s", tls->why);
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    BIO_meth_free(tls->method);
    SSL_CTX_free(tls->context);
    free(tls);
}

/* ---- moving bytes ---- */

static void explain_verify(struct tls *tls, long verify)
{
    switch (verify) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        snprintf(tls->why, sizeof tls->why,
                 "the server's certificate is not for '%s'; use the name it was made for, or give that as "
                 "?server_name=NAME in the URL",
                 tls->host);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(tls->why, sizeof tls->why, "the server's certificate has expired; renew it there");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(tls->why, sizeof tls->why, "the server's certificate is not valid yet; check the clock");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(
            tls->why, sizeof tls->why,
            "the issuer of the server's certificate is not trusted (%s); give its CA file as ?ca=FILE in "
            "the URL",
            X509_verify_cert_error_string(verify));
        break;
    default:
        snprintf(tls->why, sizeof tls->why, "the server's certificate is refused: %s",
                 X509_verify_cert_error_string(verify));
    }
}

static void explain(struct tls *tls, int error, int number)
{
    long verify = SSL_get_verify_result(tls->ssl);
    if (SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE && verify != X509_V_OK)
        explain_verify(tls, verify);
    else if (error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0)
        snprintf(tls->why, sizeof tls->why, "%s",
                 number ? strerror(number) : "the server closed the connection");
    else if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER)
        snprintf(tls->why, sizeof tls->why, "the server does not speak TLS on this port");
    else
        snprintf(tls->why, sizeof tls->why, "TLS: %s", library_reason());
}

/* Turns what OpenSSL answered into one of ours. */
static int outcome(struct tls *tls, int answer)
{
    int number = errno;
    int error = SSL_get_error(tls->ssl, answer);
    switch (error) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        snprintf(tls->why, sizeof tls->why, "the server closed the connection");
        return TLS_END;
    default:
        explain(tls, error, number);
        return TLS_FAILED;
    }
}

int tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    errno = 0;
    int answer = SSL_do_handshake(tls->ssl);
    if (answer == 1)
        return 1;
    int code = outcome(tls, answer);
    return code == TLS_END ? TLS_FAILED : code;
}

ssize_t tls_read(struct tls *tls, void *data, size_t size)
{
    size_t got = 0;
    ERR_clear_error();
    errno = 0;
    int answer = SSL_read_ex(tls->ssl, data, size, &got);
    return answer == 1 ? (ssize_t)got : outcome(tls, answer);
}

ssize_t tls_write(struct tls *tls, const void *data, size_t size)
{
    size_t put = 0;
    ERR_clear_error();
    errno = 0;
    int answer = SSL_write_ex(tls->ssl, data, size, &put);
    return answer == 1 ? (ssize_t)put : outcome(tls, answer);
}

size_t tls_waiting(const struct tls *tls)
{
    return (size_t)SSL_pending(tls->ssl);
}

const char *tls_why(const struct tls *tls)
{
    return tls->why;
}
