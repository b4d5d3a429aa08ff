# Warnings, sanitizers and include paths that every target of ours has.
add_library(mm_options INTERFACE)
# gcc 12 takes clang's attributes for errors, and sees overlaps and overreads in std::string and boost's small_vector
# that are not there; what is seen changes with the optimisation, so it is off everywhere.
target_compile_options(mm_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-attributes> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
target_include_directories(mm_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(mm_options INTERFACE Threads::Threads)
if(MODELMILL_SANITIZE)
  add_compile_options(-fsanitize=${MODELMILL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MODELMILL_SANITIZE})
  # What gcc adds to the code hides from it that something is set, as in std::regex; other builds are told of such things.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(MODELMILL_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # atomic_thread_fence in Asio, which it does not understand
  endif()
endif()

# mm_module(NAME [SMALL] [APART] [TESTS_APART] [DEPS modules or libraries...] [SOURCES extra...] [TEST_DEPS ...])
# A static library mm_NAME of the folder's *.cc, and one test program mm_NAME_test of its *_test.cc.
# SMALL: nothing of it is on a request's path, so what is shipped is compiled for size.
# testing/ inside the folder holds header-only fakes.
# Builds other than `dev` compile eight sources at a time as one (CMAKE_UNITY_BUILD), which takes a quarter of the time:
# nearly all of it goes into headers. So names in a module's anonymous namespaces are unique in the module, but where it
# is said that its sources or its tests are compiled APART.
function(mm_module name)
  cmake_parse_arguments(M "SMALL;APART;TESTS_APART" "" "DEPS;SOURCES;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|_main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources OR M_SOURCES)
    add_library(mm_${name} STATIC ${sources} ${M_SOURCES})
    target_link_libraries(mm_${name} PUBLIC mm_options ${M_DEPS})
    if(M_SMALL)
      target_compile_options(mm_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
    endif()
    mm_precompiled(mm_${name} plain)
    if(M_APART)
      set_target_properties(mm_${name} PROPERTIES UNITY_BUILD OFF)
    endif()
  else()
    add_library(mm_${name} INTERFACE)
    target_link_libraries(mm_${name} INTERFACE mm_options ${M_DEPS})
  endif()
  if(tests)
    add_executable(mm_${name}_test ${tests})
    target_link_libraries(mm_${name}_test PRIVATE mm_${name} ${M_TEST_DEPS} GTest::gmock GTest::gtest_main)
    mm_precompiled(mm_${name}_test tests)
    if(M_APART OR M_TESTS_APART)
      set_target_properties(mm_${name}_test PROPERTIES UNITY_BUILD OFF)
    endif()
    add_test(NAME unit.${name} COMMAND mm_${name}_test)
    set_tests_properties(unit.${name} PROPERTIES TIMEOUT 300)
  endif()
endfunction()
