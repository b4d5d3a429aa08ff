#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"

namespace modelmill::wire {

/// A certificate authority and what it signs, as files of a folder that goes with it.
class TestCertificates {
 public:
  struct Files {
    std::string certificate;
    std::string key;
  };

  TestCertificates()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("certificates" + std::to_string(::getpid()) + "_" + std::to_string(++made_))) {
    std::filesystem::create_directories(folder_);
    ca_key_.reset(EVP_EC_gen("P-256"));
    ca_.reset(X509_new());
    fill(*ca_, "the tests' authority", *ca_key_, 3600);
    add_extension(*ca_, NID_basic_constraints, "critical,CA:TRUE");
    X509_set_issuer_name(ca_.get(), X509_get_subject_name(ca_.get()));
    X509_sign(ca_.get(), ca_key_.get(), EVP_sha256());
    write(ca(), [this](FILE* file) { return PEM_write_X509(file, ca_.get()); });
  }
  ~TestCertificates() { std::filesystem::remove_all(folder_); }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string ca() const { return path("ca.pem"); }

  /// NAME.pem and NAME.key, for `name` as the subject, that end `seconds` from now.
  Files sign(const std::string& name, long seconds = 3600) {
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Certificate made(X509_new(), X509_free);
    fill(*made, name, *key, seconds);
    X509_set_issuer_name(made.get(), X509_get_subject_name(ca_.get()));
    X509_sign(made.get(), ca_key_.get(), EVP_sha256());
    const Files files{path(name + ".pem"), path(name + ".key")};
    write(files.certificate, [&](FILE* file) { return PEM_write_X509(file, made.get()); });
    write(files.key,
          [&](FILE* file) { return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    return files;
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
  using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

  static void fill(X509& certificate, const std::string& name, EVP_PKEY& key, long seconds) {
    X509_set_version(&certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(&certificate), ++made_);
    X509_gmtime_adj(X509_getm_notBefore(&certificate), -86'400);
    X509_gmtime_adj(X509_getm_notAfter(&certificate), seconds);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(&certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_pubkey(&certificate, &key);
  }
  static void add_extension(X509& certificate, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    MM_CHECK(extension != nullptr && X509_add_ext(&certificate, extension, -1) == 1, "extension");
    X509_EXTENSION_free(extension);
  }
  template <typename Put>
  static void write(const std::string& path, const Put& put) {
    FILE* file = std::fopen(path.c_str(), "w");
    MM_CHECK(file != nullptr && put(file) == 1, "a PEM file can't be written");
    std::fclose(file);
  }

  static inline int made_ = 0;
  const std::filesystem::path folder_;
  Key ca_key_{nullptr, EVP_PKEY_free};
  Certificate ca_{nullptr, X509_free};
};

}  // namespace modelmill::wire
