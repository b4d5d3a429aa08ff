#include "dialect/torchserve/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <regex>

namespace modelmill::torchserve {
namespace {

using Kind = Keys::Kind;
using ::testing::HasSubstr;

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The key of a group in a file as TorchServe writes it.
std::string key_of(const std::string& text, const std::string& name) {
  std::smatch found;
  const std::regex form("\"" + name + "\": \\{\\s+\"key\": \"([A-Za-z0-9_-]{43})\"");
  return std::regex_search(text, found, form) ? found[1].str() : "";
}

class KeysTest : public ::testing::Test {
 protected:
  KeysTest() {
    std::string folder = ::testing::TempDir() + "keysXXXXXX";
    folder_ = ::mkdtemp(folder.data());
    file_ = folder_ + "/key_file.json";
  }
  ~KeysTest() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<Keys> make(Duration lifetime = std::chrono::minutes(60)) {
    auto keys = Keys::make(file_, lifetime, time_);
    EXPECT_TRUE(keys.ok()) << keys.status().message();
    return *keys;
  }

  ManualTime time_;
  std::string folder_, file_;
};

TEST_F(KeysTest, AreInAFileOfTheirOwnerAlone) {
  const auto keys = make();
  struct stat about {};
  ASSERT_EQ(::stat(file_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  const std::string text = text_of(file_);
  EXPECT_TRUE(keys->allows(Kind::kInference, key_of(text, "inference")));
  EXPECT_TRUE(keys->allows(Kind::kManagement, key_of(text, "management")));
  EXPECT_TRUE(keys->allows(Kind::kRenewal, key_of(text, "API")));
  EXPECT_FALSE(keys->allows(Kind::kInference, key_of(text, "management")));
  EXPECT_FALSE(keys->allows(Kind::kRenewal, key_of(text, "inference")));
  EXPECT_FALSE(keys->allows(Kind::kInference, ""));
  const std::regex expiry("\"expiration time\": \"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z\"");
  EXPECT_EQ(std::distance(std::sregex_iterator(text.begin(), text.end(), expiry), std::sregex_iterator()), 2);
}

TEST_F(KeysTest, ExpireButForTheOneThatRenews) {
  const auto keys = make(std::chrono::seconds(15));
  const std::string text = text_of(file_);
  time_.advance(std::chrono::seconds(14));
  EXPECT_TRUE(keys->allows(Kind::kManagement, key_of(text, "management")));
  time_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(keys->allows(Kind::kManagement, key_of(text, "management")));
  EXPECT_FALSE(keys->allows(Kind::kInference, key_of(text, "inference")));
  EXPECT_TRUE(keys->allows(Kind::kRenewal, key_of(text, "API")));
  ASSERT_TRUE(keys->renew(Kind::kInference).ok());
  const std::string renewed = text_of(file_);
  EXPECT_NE(key_of(renewed, "inference"), key_of(text, "inference"));
  EXPECT_EQ(key_of(renewed, "management"), key_of(text, "management"));
  EXPECT_TRUE(keys->allows(Kind::kInference, key_of(renewed, "inference")));
  EXPECT_FALSE(keys->allows(Kind::kManagement, key_of(renewed, "management")));
}

TEST_F(KeysTest, StayWhereTheFileCantBeWritten) {
  const auto keys = make();
  const std::string text = text_of(file_);
  std::filesystem::create_directory(file_ + ".new");
  EXPECT_EQ(keys->renew(Kind::kInference).code(), Code::kUnavailable);
  EXPECT_TRUE(keys->allows(Kind::kInference, key_of(text, "inference")));
  EXPECT_EQ(text_of(file_), text);
}

TEST_F(KeysTest, TakeTheirFileAway) {
  make();
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(KeysTest, LeaveTheFileOfAnotherServer) {
  auto keys = make();
  keys->remove_file();
  EXPECT_EQ(keys->renew(Kind::kInference).code(), Code::kFailedPrecondition);
  EXPECT_FALSE(std::filesystem::exists(file_));
  const auto successor = make();
  keys.reset();
  EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(KeysTest, ReplaceOnlyAFileOfKeys) {
  std::ofstream(file_) << "a model";
  const auto refused = Keys::make(file_, std::chrono::minutes(1), time_);
  ASSERT_EQ(refused.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr(file_));
  EXPECT_EQ(text_of(file_), "a model");
  std::ofstream(file_) << R"({"management": {"key": "a"}, "API": {"key": "b"}})";
  EXPECT_THAT(text_of(make()->file()), HasSubstr("expiration time"));
}

TEST(KeyIn, TakesBearerAlone) {
  EXPECT_EQ(key_in("Bearer abc"), "abc");
  EXPECT_EQ(key_in("Bearer \t abc"), "abc");
  for (const char* other : {"", "abc", "bearer abc", "Bearer", "Bearer ", "Bearerabc", "Bearer a b", "Basic abc"})
    EXPECT_EQ(key_in(other), "") << other;
}

}  // namespace
}  // namespace modelmill::torchserve
