// Each file of fuzz/corpus is a test: its target must take it. What once crashed lies there too.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "targets.h"

namespace modelmill::fuzz {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Replay : public ::testing::Test {
 public:
  Replay(Target target, std::filesystem::path path) : target_(target), path_(std::move(path)) {}
  void TestBody() override {
    // In memory of exactly its size, so that a sanitizer sees a read past the end.
    const std::string text = read(path_);
    const std::vector<char> input(text.begin(), text.end());
    target_.run({input.data(), input.size()});
  }

 private:
  Target target_;
  std::filesystem::path path_;
};

TEST(Corpus, HasSeedsForEachTarget) {
  for (const Target& target : kTargets) {
    const std::filesystem::path folder = std::filesystem::path(MODELMILL_FUZZ_CORPUS) / target.name;
    EXPECT_TRUE(std::filesystem::is_directory(folder) && !std::filesystem::is_empty(folder)) << folder;
  }
}

void register_corpus() {
  for (const Target& target : kTargets) {
    const std::filesystem::path folder = std::filesystem::path(MODELMILL_FUZZ_CORPUS) / target.name;
    if (!std::filesystem::is_directory(folder)) continue;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths)
      ::testing::RegisterTest(("Replay_" + std::string(target.name)).c_str(), path.filename().c_str(), nullptr, nullptr,
                              __FILE__, __LINE__, [target, path]() -> Replay* { return new Replay(target, path); });
  }
}

}  // namespace
}  // namespace modelmill::fuzz

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  modelmill::fuzz::register_corpus();
  return RUN_ALL_TESTS();
}
