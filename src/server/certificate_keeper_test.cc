#include "server/certificate_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "wire/testing/test_certificates.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(CertificateKeeper, ReadsChangedFilesByItself) {
  wire::TestCertificates certificates;
  const auto files = certificates.sign("server");
  const auto renewed = certificates.sign("renewed");
  wire::TlsOptions options;
  options.certificate = files.certificate;
  options.key = files.key;
  const auto keeper = CertificateKeeper::start(options, std::chrono::milliseconds(1));
  ASSERT_TRUE(keeper.ok()) << keeper.status().to_string();
  const auto first = (*keeper)->credentials()->current();
  // In two steps, as tools do it; between them the key is not the certificate's, and nothing must change.
  std::filesystem::rename(renewed.certificate, files.certificate);
  std::filesystem::rename(renewed.key, files.key);
  while ((*keeper)->credentials()->current() == first) std::this_thread::yield();
}

TEST(CertificateKeeper, BadFilesAtTheStartAreItsError) {
  wire::TlsOptions options;
  options.certificate = "/no/such/file";
  EXPECT_THAT(CertificateKeeper::start(options).status().message(), HasSubstr("--tls-cert: '/no/such/file'"));
}

TEST(DaysLeft, CountsFullDays) {
  const std::chrono::system_clock::time_point now;
  EXPECT_EQ(days_left(now + std::chrono::hours(14 * 24), now), 14);
  EXPECT_EQ(days_left(now + std::chrono::hours(14 * 24 - 1), now), 13);
  EXPECT_EQ(days_left(now - std::chrono::hours(48), now), 0);
}

}  // namespace
}  // namespace modelmill
