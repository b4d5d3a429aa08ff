#include "cli/personality/flag_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace modelmill::personality {
namespace {

using ::testing::HasSubstr;

TEST(FlagReference, TheTablesInTheDocsAreWhatTheProgramTakes) {
  for (const std::string& name : personality_names()) {
    std::string page = "flags-" + name + ".md";
    for (char& c : page)
      if (c == '_') c = '-';
    std::stringstream text;
    text << std::ifstream(std::string(MODELMILL_DOCS) + "/" + page).rdbuf();
    const Outcome outcome = find_personality(name)->parse({"--help-markdown"}, nullptr);
    ASSERT_TRUE(std::holds_alternative<Answer>(outcome));
    EXPECT_THAT(text.str(), HasSubstr(std::get<Answer>(outcome).text))
        << "docs/" << page << " is behind; put the output of `modelmill --as " << name << " --help-markdown` into it";
  }
}

TEST(FlagReference, AFlagIsARow) {
  const std::vector<FlagText> flags = {{"a", FlagValue::kNone, Taken::kSame, "", ""},
                                       {"b", FlagValue::kText, Taken::kMapped, "`--c x|y`", "1|2"}};
  EXPECT_EQ(flags_markdown(flags),
            "| flag | is | |\n|---|---|---|\n| `--a` | same |  |\n| `--b=1\\|2` | mapped | `--c x\\|y` |\n");
  EXPECT_EQ(flags_usage(flags), "  --a\n\t\n  --b <string>\n\t--c x|y\n");
}

}  // namespace
}  // namespace modelmill::personality
