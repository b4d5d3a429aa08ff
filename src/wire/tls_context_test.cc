#include "wire/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "wire/testing/test_certificates.h"
#include "wire/tls_credentials.h"

namespace modelmill::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TlsContextTest : public testing::Test {
 protected:
  std::string error(const TlsOptions& options) const { return TlsContext::load(options).status().message(); }
  std::string garbage() const {
    std::ofstream(certificates_.path("garbage")) << "-----BEGIN CERTIFICATE-----\nnonsense\n";
    return certificates_.path("garbage");
  }

  TestCertificates certificates_;
  const TestCertificates::Files good_ = certificates_.sign("server");
};

TEST_F(TlsContextTest, LoadsAndTellsWhenItExpires) {
  const auto context = TlsContext::load({good_.certificate, good_.key, certificates_.ca()});
  ASSERT_TRUE(context.ok()) << context.status().to_string();
  const auto left = (*context)->expires() - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(50));
  EXPECT_LE(left, std::chrono::hours(1));
}

TEST_F(TlsContextTest, NamesTheFileAndWhatIsWrongWithIt) {
  const auto other = certificates_.sign("other");
  const auto old = certificates_.sign("old", -60);
  const std::string none = certificates_.path("none");
  EXPECT_THAT(error({none, good_.key}), HasSubstr("--tls-cert: '" + none + "' can't be read: No such file"));
  EXPECT_THAT(error({good_.certificate, none}), HasSubstr("--tls-key: '" + none + "' can't be read: No such file"));
  EXPECT_THAT(error({garbage(), good_.key}), HasSubstr("garbage' is no usable certificate in PEM ("));
  EXPECT_THAT(error({good_.certificate, garbage()}), HasSubstr("garbage' is no private key in PEM"));
  EXPECT_THAT(error({good_.certificate, other.key}),
              HasSubstr("'" + other.key + "' is not the key of the certificate '" + good_.certificate + "'"));
  EXPECT_THAT(error({old.certificate, old.key}), HasSubstr("'" + old.certificate + "' has expired"));
  EXPECT_THAT(error({good_.certificate, good_.key, none}), HasSubstr("--tls-client-ca: '" + none + "'"));
  EXPECT_THAT(error({good_.certificate, good_.key, good_.key}), HasSubstr("has no certificate in PEM"));
}

TEST_F(TlsContextTest, CredentialsStayWhenNewFilesAreBad) {
  const auto credentials = TlsCredentials::load({good_.certificate, good_.key});
  ASSERT_TRUE(credentials.ok()) << credentials.status().to_string();
  EXPECT_THAT((*credentials)->options().files(), ElementsAre(good_.certificate, good_.key));
  const auto first = (*credentials)->current();
  std::ofstream(good_.key) << "half a";
  EXPECT_THAT((*credentials)->reload().message(), HasSubstr(good_.key));
  EXPECT_EQ((*credentials)->current(), first);
  certificates_.sign("server");
  EXPECT_TRUE((*credentials)->reload().ok());
  EXPECT_NE((*credentials)->current(), first);
}

}  // namespace
}  // namespace modelmill::wire
