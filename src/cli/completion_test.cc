#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/command_line.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

class CompletionScript : public testing::TestWithParam<const char*> {
 protected:
  CompletionScript() {
    path_ = std::filesystem::path(testing::TempDir()) / (std::string("modelmill_completion.") + GetParam());
    std::ofstream(path_) << completion_script(GetParam());
  }
  ~CompletionScript() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_P(CompletionScript, ItsShellCanReadIt) {
  const std::string shell = GetParam();
  if (std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP() << shell << " is not installed";
  output_of(shell + " -n '" + path_.string() + "'");
}

TEST_P(CompletionScript, HasEveryCommandAndOption) {
  const std::string script = completion_script(GetParam());
  const bool fish = std::string(GetParam()) == "fish";
  for (const CommandText& command : command_texts()) {
    EXPECT_THAT(script, HasSubstr(command.name));
    for (const OptionText& option : command.options) {
      const size_t dashes = option.names.rfind("--");
      if (dashes == std::string::npos) continue;
      const std::string name = option.names.substr(dashes);
      EXPECT_THAT(script, HasSubstr(fish ? "-l " + name.substr(2) : name)) << command.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shells, CompletionScript, testing::Values("bash", "zsh", "fish"));

TEST(BashCompletion, CompletesCommandsOptionsAndChoices) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "modelmill_completes.bash";
  std::ofstream(path) << completion_script("bash");
  const auto completes = [&](const std::string& words, int at) {
    return output_of("bash -c 'source " + path.string() + "; COMP_WORDS=(" + words +
                     "); COMP_CWORD=" + std::to_string(at) + "; _modelmill; echo \"${COMPREPLY[@]}\"'");
  };
  EXPECT_EQ(completes("modelmill pre", 1), "predict\n");
  EXPECT_EQ(completes("modelmill serve --log-f", 2), "--log-format\n");
  EXPECT_EQ(completes("modelmill serve x --log-format \"\"", 4), "text json\n");
  EXPECT_EQ(completes("modelmill completion \"\"", 2), "bash zsh fish\n");
  EXPECT_EQ(completes("modelmill serve --port \"\"", 3), "\n");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace modelmill
