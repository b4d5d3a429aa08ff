#include "torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "modelmill/backend.hpp"
#include "zip_directory.h"

namespace modelmill::pytorch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string little(uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i, value >>= 8) out += static_cast<char>(value);
  return out;
}

/// A zip archive of stored entries, as torch writes them; with `wide` all sizes are of 64 bits.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries, bool wide = false) {
  std::string out, directory;
  for (const auto& [name, content] : entries) {
    const uint64_t header = out.size();
    out += "PK\3\4" + little(0, 22) + little(name.size(), 2) + little(3, 2) + name + "pad" + content;
    const std::string sizes =
        wide ? little(0xffffffff, 4) + little(0xffffffff, 4) : little(content.size(), 4) + little(content.size(), 4);
    const std::string extra =
        wide ? little(1, 2) + little(24, 2) + little(content.size(), 8) + little(content.size(), 8) + little(header, 8)
             : std::string();
    directory += "PK\1\2" + little(0, 16) + sizes + little(name.size(), 2) + little(extra.size(), 2) + little(0, 10) +
                 little(wide ? 0xffffffff : header, 4) + name + extra;
  }
  const uint64_t at = out.size();
  out += directory;
  if (wide) {
    const uint64_t end = out.size();
    out += "PK\6\6" + little(44, 8) + little(0, 28) + little(directory.size(), 8) + little(at, 8);
    out += "PK\6\7" + little(0, 4) + little(end, 8) + little(1, 4);
  }
  return out + "PK\5\6" + little(0, 8) + little(wide ? 0xffffffff : directory.size(), 4) +
         little(wide ? 0xffffffff : at, 4) + little(0, 2);
}

class TorchFileTest : public ::testing::Test {
 protected:
  ~TorchFileTest() override { fs::remove(file_); }

  const std::string& write(const std::string& bytes) {
    std::ofstream(file_, std::ios::binary) << bytes;
    return file_;
  }

  std::string refusal(const std::string& bytes) {
    try {
      look_at_file(write(bytes));
    } catch (const backend::Error& e) {
      return e.what();
    }
    return "nothing is wrong";
  }

  const std::string file_ = fs::temp_directory_path() / ("torch_file_test." + std::to_string(getpid()));
};

TEST_F(TorchFileTest, TorchScriptIsTold) {
  const std::string bytes = zip_of({{"net/data.pkl", "x"}, {"net/code/__torch__.py", ""}, {"net/constants.pkl", ""}});
  EXPECT_EQ(look_at_file(write(bytes)).kind, TorchFile::Kind::kScript);
}

TEST_F(TorchFileTest, APackageComesWithTheSourceOfItsCode) {
  for (const bool wide : {false, true}) {
    const TorchFile found = look_at_file(write(zip_of({{"m/data/aotinductor/net/abc.wrapper.so", "\177ELF"},
                                                       {"m/data/aotinductor/net/abc.kernel.cpp", "kernels"},
                                                       {"m/data/aotinductor/net/abc.wrapper.cpp", "the source"}},
                                                      wide)));
    EXPECT_EQ(found.kind, TorchFile::Kind::kPackage);
    EXPECT_EQ(found.model, "net");
    EXPECT_EQ(found.wrapper, "the source");
  }
}

TEST_F(TorchFileTest, OfSeveralModelsInAPackageTheOneNamedModelIsServed) {
  EXPECT_EQ(look_at_file(write(zip_of({{"data/aotinductor/a/x.so", ""}, {"data/aotinductor/model/x.so", ""}}))).model,
            "model");
  EXPECT_THAT(refusal(zip_of({{"data/aotinductor/b/x.so", ""}, {"data/aotinductor/a/x.so", ""}})),
              HasSubstr("has several models, 'a', 'b'"));
}

TEST_F(TorchFileTest, WhatCanNotBeServedIsToldWithTheRemedy) {
  EXPECT_THAT(refusal(zip_of({{"net/data.pkl", "x"}, {"net/data/0", ""}})), HasSubstr("torch.jit.script(model)"));
  EXPECT_THAT(refusal("\x80\2\x8a\x0aold pickles"), HasSubstr("was written by torch.save"));
  EXPECT_THAT(refusal(zip_of({{"net/models/model.json", "{}"}})), HasSubstr("was written by torch.export.save"));
  EXPECT_THAT(refusal(zip_of({{"a.txt", "x"}})), HasSubstr("none of PyTorch's"));
  EXPECT_THAT(refusal("hello"), HasSubstr("is no file of PyTorch's"));
  EXPECT_THAT(refusal(""), HasSubstr("is no file of PyTorch's"));
}

TEST_F(TorchFileTest, AFileThatIsCutAnywhereIsRefused) {
  const std::string whole = zip_of({{"net/data.pkl", "x"}, {"net/constants.pkl", "y"}});
  for (const bool wide : {false, true}) {
    const std::string bytes = zip_of({{"net/data.pkl", "x"}, {"net/constants.pkl", "y"}}, wide);
    for (size_t size = 4; size < bytes.size(); ++size)
      EXPECT_THAT(refusal(bytes.substr(0, size)), HasSubstr("it is cut"));
  }
  EXPECT_EQ(refusal(whole), "nothing is wrong");
}

TEST_F(TorchFileTest, NumbersThatLeaveTheFileAreNoArchive) {
  const std::string bytes = zip_of({{"net/data.pkl", "content"}}, true);
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = '\xff';
    const auto zip = ZipDirectory::read(write(changed));
    if (!zip) continue;
    for (const ZipDirectory::Entry& entry : zip->entries())
      EXPECT_LE(zip->content(entry, 100).value_or("").size(), bytes.size());
  }
}

}  // namespace
}  // namespace modelmill::pytorch
