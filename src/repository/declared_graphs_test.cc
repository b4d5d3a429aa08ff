#include "repository/declared_graphs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/temp_folder.h"
#include "repository/declared_routes.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeclaredGraphsTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) { return folder_.write(name, text); }
  static std::string graph(const std::string& name, const std::string& service) {
    return "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: " + name +
           "}\nspec: {nodes: {root: {routerType: Sequence, steps: [{serviceName: " + service + "}]}}}\n";
  }
  std::string folder() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

TEST_F(DeclaredGraphsTest, AreInFilesAndInFolders) {
  const std::string one = write("one.yaml", graph("one", "m"));
  const std::string two = write("models/two.yml", graph("two", "m"));
  write("models/deeper/three.yaml", graph("three", "m"));
  write("models/values.yaml", "a: b\n");
  write("models/modelmill.yaml", "models: []\n");
  write("models/graph.txt", graph("four", "m"));
  const DeclaredGraphs declared = read_declared_graphs({one, folder() + "/models", two, folder() + "/none.yaml"});
  EXPECT_THAT(declared.problems, IsEmpty());
  ASSERT_EQ(declared.graphs.size(), 2U);
  EXPECT_EQ(declared.graphs[0].name, "one");
  EXPECT_EQ(declared.graphs[1].name, "two");
  EXPECT_THAT(declared.places, ElementsAre(one, folder() + "/models", two, folder() + "/models/values.yaml", two));
  EXPECT_TRUE(is_graph_file(one));
  EXPECT_FALSE(is_graph_file(folder() + "/models/values.yaml"));
  EXPECT_FALSE(is_graph_file(folder()));
  EXPECT_EQ(yaml_file_of(one), "");
}

TEST_F(DeclaredGraphsTest, HaveNamesOfTheirOwnAndLeadSomewhere) {
  const std::string first = write("first.yaml", graph("g", "m") + "---\n" + graph("m", "m"));
  const std::string second = write("second.yaml", graph("g", "m") + "---\n" + graph("h", "missing"));
  DeclaredGraphs declared = read_declared_graphs({first, second});
  ASSERT_EQ(declared.problems.size(), 1U);
  EXPECT_THAT(declared.problems[0].message, HasSubstr("graph 'g' is declared at " + first + ":1:1 too"));
  check_graphs(declared, [](const std::string& name) { return name == "m"; });
  ASSERT_EQ(declared.problems.size(), 3U);
  EXPECT_THAT(declared.problems[1].message, HasSubstr("graph 'm' has the name of a model"));
  EXPECT_THAT(declared.problems[2].message, HasSubstr("there is no model, route, ensemble or graph named 'missing'"));
  EXPECT_THAT(declared.wrong["h"], HasSubstr("named 'missing'"));
  EXPECT_THAT(declared.wrong["m"], HasSubstr("has the name of a model"));
}

TEST_F(DeclaredGraphsTest, MayLeadToEachOther) {
  const std::string file = write("all.yaml", graph("a", "b") + "---\n" + graph("b", "m"));
  DeclaredGraphs declared = read_declared_graphs({file});
  check_graphs(declared, [](const std::string& name) { return name == "m"; });
  EXPECT_THAT(declared.problems, IsEmpty());
  EXPECT_TRUE(declared.graphs[0].nodes[0].steps[0].graph);
  EXPECT_FALSE(declared.graphs[1].nodes[0].steps[0].graph);
  write("all.yaml", graph("a", "b") + "---\n" + graph("b", "a"));
  declared = read_declared_graphs({file});
  check_graphs(declared, [](const std::string& name) { return name == "m"; });
  ASSERT_EQ(declared.problems.size(), 2U);
  EXPECT_THAT(declared.problems[0].message, HasSubstr("in a circle, 'a' -> 'b' -> 'a'"));
  EXPECT_THAT(declared.wrong["a"], HasSubstr("in a circle"));
}

}  // namespace
}  // namespace modelmill
