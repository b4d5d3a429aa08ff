#include "cli/personality/torchserve_keystore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <fstream>
#include <iterator>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

X509* make_certificate(const char* name, EVP_PKEY* key, const char* issuer, EVP_PKEY* issuer_key) {
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  const auto put = [](X509_NAME* into, const char* text) {
    X509_NAME_add_entry_by_txt(into, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
  };
  put(X509_get_subject_name(certificate), name);
  put(X509_get_issuer_name(certificate), issuer);
  X509_sign(certificate, issuer_key, EVP_sha256());
  return certificate;
}

/// A keystore of a server's key, its certificate and that of who signed it, in the wrong order.
std::string make_keystore(const char* password, int certificate_cipher = 0) {
  EVP_PKEY* root_key = EVP_EC_gen("P-256");
  EVP_PKEY* middle_key = EVP_EC_gen("P-256");
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* root = make_certificate("root", root_key, "root", root_key);
  X509* middle = make_certificate("middle", middle_key, "root", root_key);
  X509* own = make_certificate("server", key, "middle", middle_key);
  STACK_OF(X509)* others = sk_X509_new_null();
  sk_X509_push(others, root);
  sk_X509_push(others, middle);
  PKCS12* store = PKCS12_create(password, "1", key, own, others, 0, certificate_cipher, 0, 0, 0);
  unsigned char* bytes = nullptr;
  const int size = i2d_PKCS12(store, &bytes);
  std::string out(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  PKCS12_free(store);
  sk_X509_pop_free(others, X509_free);
  X509_free(own);
  for (EVP_PKEY* one : {root_key, middle_key, key}) EVP_PKEY_free(one);
  return out;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

std::string read(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(TorchServeKeystore, HasAKeyAndItsChain) {
  const auto content = read_keystore(make_keystore("changeit"), "changeit");
  ASSERT_TRUE(content.ok()) << content.status().message();
  EXPECT_THAT(content->key, StartsWith("-----BEGIN PRIVATE KEY-----"));
  EXPECT_EQ(count_of(content->certificates, "-----BEGIN CERTIFICATE-----"), 3U);
}

TEST(TorchServeKeystore, MayBeEncryptedAsOldJavaDoes) {
  OSSL_PROVIDER_load(nullptr, "default");  // which is not there by itself any more, for the other tests too
  OSSL_PROVIDER* const old = OSSL_PROVIDER_load(nullptr, "legacy");
  ASSERT_NE(old, nullptr) << "this OpenSSL has no ciphers of old, which come with Debian's libssl3";
  const std::string store = make_keystore("changeit", NID_pbe_WithSHA1And40BitRC2_CBC);
  OSSL_PROVIDER_unload(old);
  const auto content = read_keystore(store, "changeit");
  ASSERT_TRUE(content.ok()) << content.status().message();
  EXPECT_EQ(count_of(content->certificates, "-----BEGIN CERTIFICATE-----"), 3U);
}

TEST(TorchServeKeystore, WhatIsWrongIsSaid) {
  const std::string store = make_keystore("changeit");
  EXPECT_THAT(read_keystore(store, "other").status().message(), HasSubstr("say it as 'keystore_pass'"));
  EXPECT_THAT(read_keystore("text", "x").status().message(), HasSubstr("it is no PKCS12 keystore"));
  EXPECT_THAT(read_keystore("\xFE\xED\xFE\xED and more", "x").status().message(), HasSubstr("keytool -importkeystore"));
}

TEST(TorchServeKeystore, StandsForTheFilesOfTls) {
  const TempFolder folder;
  folder.write("k.p12", make_keystore("secret"));
  const std::string file = folder / "k.p12";
  const Variables none = [](const std::string&) { return std::nullopt; };
  const Properties tls{{"inference_address", "https://h:1"}, {"keystore", file}, {"keystore_pass", "secret"}};
  const auto with = with_keystore(tls, none);
  ASSERT_TRUE(with.ok()) << with.status().message();
  EXPECT_THAT(read(with->at("certificate_file")), StartsWith("-----BEGIN CERTIFICATE-----"));
  EXPECT_THAT(read(with->at("private_key_file")), StartsWith("-----BEGIN PRIVATE KEY-----"));
  EXPECT_EQ(with->at("keystore"), file);

  Properties others = tls;
  others["inference_address"] = "http://h:1";
  EXPECT_EQ(*with_keystore(others, none), others);
  others["enable_grpc_ssl"] = "true";
  EXPECT_TRUE(with_keystore(others, none)->contains("private_key_file"));
  others = tls;
  others["certificate_file"] = "c.pem";
  others["private_key_file"] = "k.pem";
  // As there, the keystore counts more.
  EXPECT_NE(with_keystore(others, none)->at("certificate_file"), "c.pem");

  const auto refusal = [&](const char* key, const std::string& value) {
    Properties wrong = tls;
    wrong[key] = value;
    return with_keystore(wrong, none).status().message();
  };
  EXPECT_THAT(refusal("keystore_type", "JKS"), HasSubstr("'keystore_type' is 'JKS', and PKCS12 alone is read"));
  EXPECT_THAT(refusal("keystore_pass", ""), HasSubstr("'keystore' names '" + file + "': its password is another one"));
  EXPECT_THAT(refusal("keystore", folder / "none.p12"), HasSubstr("'keystore'"));
}

}  // namespace
}  // namespace modelmill
