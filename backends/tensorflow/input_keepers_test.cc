#include "input_keepers.h"

#include <gtest/gtest.h>

#include "tf_api.h"
#include "wire.h"

namespace modelmill::tensorflow {
namespace {

std::string op(const std::string& name, bool stateful, DataType input = DataType::kFloat, bool reference = false) {
  WireWriter arg;
  arg.bytes(1, "x").number(3, static_cast<int64_t>(input));
  if (reference) arg.number(16, 1);
  WireWriter out;
  out.bytes(1, name).bytes(2, arg.out());
  if (stateful) out.number(17, 1);
  return out.out();
}

/// A node that may call functions, by one attribute each or by a list of them.
std::string node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs,
                 const std::string& function = {}, const std::string& listed = {}) {
  WireWriter out;
  out.bytes(1, name).bytes(2, op);
  for (const std::string& input : inputs) out.bytes(3, input);
  const auto named = [](const std::string& f) { return WireWriter().bytes(1, f).out(); };
  const auto attribute = [](const std::string& value) { return WireWriter().bytes(1, "f").bytes(2, value).out(); };
  if (!function.empty()) out.bytes(5, attribute(WireWriter().bytes(10, named(function)).out()));
  if (!listed.empty()) out.bytes(5, attribute(WireWriter().bytes(1, WireWriter().bytes(9, named(listed)).out()).out()));
  return out.out();
}

std::string function(const std::string& name, const std::vector<std::string>& nodes) {
  WireWriter out;
  out.bytes(1, WireWriter().bytes(1, name).out());
  for (const std::string& n : nodes) out.bytes(3, n);
  return out.out();
}

class InputKeepersTest : public testing::Test {
 protected:
  InputKeepersTest()
      : ops_(WireWriter()
                 .bytes(1, op("MatMul", false))
                 .bytes(1, op("Placeholder", false))
                 .bytes(1, op("ReadVariableOp", true, DataType::kResource))
                 .bytes(1, op("AssignVariableOp", false, DataType::kResource))
                 .bytes(1, op("Assign", false, DataType::kFloat, true))
                 .bytes(1, op("Stage", true))
                 .bytes(1, op("RandomGamma", true))
                 .bytes(1, op("TensorArrayWriteV3", true, DataType::kResource))
                 .bytes(1, op("PartitionedCall", false))
                 .out()) {}

  Keepers all(const std::vector<std::string>& nodes, const std::vector<std::string>& functions = {},
              const std::vector<std::string>& outputs = {"out:0"}) const {
    WireWriter library, graph;
    for (const std::string& f : functions) library.bytes(1, f);
    for (const std::string& n : nodes) graph.bytes(1, n);
    return find_keepers(graph.bytes(2, library.out()).out(), outputs, ops_);
  }
  std::string find(const std::vector<std::string>& nodes, const std::vector<std::string>& functions = {},
                   const std::vector<std::string>& outputs = {"out:0"}) const {
    return all(nodes, functions, outputs).of_state;
  }

  const KeeperOps ops_;
};

TEST_F(InputKeepersTest, OperatorsAreKnownByWhatTheyTake) {
  for (const char* harmless : {"MatMul", "Placeholder", "ReadVariableOp"})
    EXPECT_EQ(ops_.of(harmless), Keeps::kNothing);
  for (const char* keeper : {"AssignVariableOp", "Assign", "Stage", "SomebodysOwn"})
    EXPECT_EQ(ops_.of(keeper), Keeps::kState) << keeper;
  for (const char* inside : {"RandomGamma", "TensorArrayWriteV3"}) EXPECT_EQ(ops_.of(inside), Keeps::kInputs) << inside;
}

TEST_F(InputKeepersTest, OnlyWhatTheOutputsNeedCounts) {
  const std::vector<std::string> nodes = {node("x", "Placeholder", {}), node("net/y", "MatMul", {"x", "x:0"}),
                                          node("out", "MatMul", {"net/y:0"}),
                                          node("restore", "AssignVariableOp", {"x"})};
  EXPECT_EQ(find(nodes), "");
  EXPECT_EQ(find(nodes, {}, {"out:0", "restore"}), "AssignVariableOp");
}

TEST_F(InputKeepersTest, WhatMustRunBeforeCountsToo) {
  EXPECT_EQ(find({node("x", "Placeholder", {}), node("put", "Stage", {"x"}), node("out", "MatMul", {"x", "^put"})}),
            "Stage");
}

TEST_F(InputKeepersTest, CallsAreFollowed) {
  const std::vector<std::string> functions = {function("outer", {node("a", "PartitionedCall", {}, {}, "inner")}),
                                              function("inner", {node("b", "AssignVariableOp", {})}),
                                              function("harmless", {node("c", "harmless", {})})};
  EXPECT_EQ(find({node("out", "PartitionedCall", {}, "outer")}, functions), "AssignVariableOp");
  EXPECT_EQ(find({node("out", "inner", {})}, functions), "AssignVariableOp");
  EXPECT_EQ(find({node("out", "PartitionedCall", {}, "harmless")}, functions), "");  // and calls itself
}

TEST_F(InputKeepersTest, WhatEndsWithTheRunIsNoState) {
  const Keepers found = all({node("out", "TensorArrayWriteV3", {})});
  EXPECT_EQ(found.of_inputs, "TensorArrayWriteV3");
  EXPECT_EQ(found.of_state, "");
  EXPECT_EQ(all({node("out", "MatMul", {"s"}), node("s", "Stage", {})}).of_inputs, "Stage");
}

TEST_F(InputKeepersTest, NamesInsideAFunctionAreNotTheGraphs) {
  const std::vector<std::string> functions = {function("f", {node("a", "MatMul", {"x", "^init"})})};
  EXPECT_EQ(find({node("out", "PartitionedCall", {}, "f"), node("init", "AssignVariableOp", {})}, functions), "");
}

TEST_F(InputKeepersTest, CyclesEnd) {
  EXPECT_EQ(find({node("out", "MatMul", {"b"}), node("b", "MatMul", {"out"})}), "");
}

TEST_F(InputKeepersTest, ABrokenGraphIsNotTrusted) {
  const Keepers found = find_keepers("\x0a\x7f", {"out:0"}, ops_);
  EXPECT_NE(found.of_inputs, "");
  EXPECT_NE(found.of_state, "");
}

}  // namespace
}  // namespace modelmill::tensorflow
