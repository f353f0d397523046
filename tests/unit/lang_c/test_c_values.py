"""What C computes: integers of all widths, text, statements, macros, functions."""

from __future__ import annotations

import pytest

pytest.importorskip("pycparser")

from c_kit import output, value

MIN64 = -(1 << 63)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("0x10 + 010 + 'A'", 89),
        ("'\\n' + '\\x41' + '\\101'", 140),
        ("1 << 4 | 3", 19),
        ("~0", -1),
        ("~0u", 0xFFFFFFFF),
        ("-1", -1),
        ("-1u", 0xFFFFFFFF),
        ("!5 + !0", 1),
        ("0x7fffffff + 1", -(1 << 31)),
        ("0x7fffffffL + 1", 1 << 31),
        ("0xffffffff + 1", 0),
        ("0xffffffffUL + 1", 1 << 32),
        ("(unsigned char)300", 44),
        ("(signed char)200", -56),
        ("(short)40000", -25536),
        ("(u16)-1", 65535),
        ("(u32)-1", 0xFFFFFFFF),
        ("(s32)0xffffffffUL", -1),
        ("(bool)256", 1),
        ("(u64)-1 > 0", 1),
        ("-1 > 0u", 1),
        ("-1 > 0", 0),
        ("-1L > 0u", 0),
        ("(u8)255 + (u8)1", 256),
        ("-1 >> 1", -1),
        ("-1u >> 1", 0x7FFFFFFF),
        ("1u << 31 >> 31", 1),
        ("1 ? 2 : 3", 2),
        ("0 ? 2 : 3", 3),
        ("(1, 2, 3)", 3),
        ("3 && 4", 1),
        ("0 && 1 || 2", 1),
        ("sizeof(long) * 10 + sizeof(u16)", 82),
        ("sizeof(struct in6_addr) + sizeof(struct sk_buff *)", 24),
        ('sizeof "abc"', 4),
        ("min(3, 2) * 10 + max(3, 2)", 23),
        ("min_t(u8, 300, 50)", 44),
        ("BIT(5) + ARRAY_SIZE(((struct task_struct *)0)->comm)", 48),
        ("offsetof(struct iphdr, saddr)", 12),
        ("KERNEL_VERSION(2, 6, 32)", 132640),
        ("LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)", 1),
        ("LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 1)", 0),
        ("AF_INET6", 10),
        ("TCP_LISTEN", 10),
        ("ETH_P_IPV6", 0x86DD),
        ("HZ", 250),
        ("MAXSTRINGLEN", 512),
        ("ntohs(0x1234)", 0x3412),
        ("htonl(0x12345678)", 0x78563412),
        ("be16_to_cpu(0xff01)", 0x01FF),
        ("NULL == 0", 1),
        ("true + false", 1),
        ("abs(-5)", 5),
        ("IS_ERR((void *)-4)", 1),
        ("IS_ERR((void *)5)", 0),
        ("jiffies_to_msecs(250)", 1000),
        ("msecs_to_jiffies(1000)", 250),
        ("likely(3) + unlikely(4)", 7),
        ("(char *)16 + 2", 18),
        ("(long)((u32 *)16 + 2)", 24),
        ("(u32 *)24 - (u32 *)16", 2),
        ("(struct iphdr *)0 + 1", 20),
        ("container_of((char *)116, struct iphdr, daddr)", 100),
        ('strlen("ab" "cd")', 4),
        ('strcmp("a", "b") < 0', 1),
        ('strcmp("a", "a") == 0', 1),
        ('!strcmp("a", "b")', 0),
        ('strncmp("abc", "abd", 2)', 0),
    ],
)
def test_constant_expressions(expression: str, expected: int) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "a", "b", "expected"),
    [
        ("a + b", (1 << 63) - 1, 1, MIN64),
        ("(int)a * (int)b", 1 << 30, 4, 0),
        ("(u32)a / (u32)b", -1, 2, 0x7FFFFFFF),
        ("(unsigned long)a / b", -1, 2, (1 << 63) - 1),
        ("(unsigned long)a % 10", -1, 0, 5),
        ("(u64)a < (u64)b", -1, 1, 0),
        ("a < b", -1, 1, 1),
        ("(u8)a == (u8)b", 257, 1, 1),
        ("(s8)a >> b", -128, 2, -32),
        ("(u8)a >> b", -128, 2, 32),
        ("a ? b : 7", 0, 3, 7),
        ("a++ + b", 5, 1, 6),
        ("++a + b", 5, 1, 7),
        ("(a += b, a *= 2, a -= 1, a)", 5, 1, 11),
        ("(a <<= b, a |= 1, a ^= 3, a)", 1, 4, 18),
        ("a && (b = 9) ? b : 0", 1, 1, 9),
        ("a || (b = 9) ? b : 0", 1, 1, 1),
    ],
)
def test_arguments(expression: str, a: int, b: int, expected: int) -> None:
    assert value(expression, a, b) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("int i, s = 0; for (i = 0; i < 5; i++) s += i; STAP_RETVALUE = s;", 10),
        ("int i = 0, s = 0; while (i < 10) { i++; if (i == 3) continue; if (i == 6) break; s += i; } STAP_RETURN(s);", 12),
        ("int i = 0; do i++; while (i < 4); STAP_RETVALUE = i;", 4),
        ("int i = 9; do { i++; continue; } while (0); STAP_RETVALUE = i;", 10),
        ("int s = 0; for (int i = 0; i < 3; i++) for (int j = 0; j < 3; j++) { if (j == 2) break; s += 10 * i + j; } "
         "STAP_RETVALUE = s;", 63),
        ("switch (STAP_ARG_x) { case 1: case 2: STAP_RETVALUE = 12; break; default: STAP_RETVALUE = 9; }", 12),
        ("switch (STAP_ARG_x + 5) { default: STAP_RETVALUE = 9; break; case 2: STAP_RETVALUE = 2; }", 9),
        ("switch (STAP_ARG_x) { case 2: STAP_RETVALUE = 1; case 3: STAP_RETVALUE += 1; case 4: break; case 5: "
         "STAP_RETVALUE = 50; }", 2),
        ("int x = 1; { int x = 2; STAP_RETVALUE = x; } STAP_RETVALUE += 10 * x;", 12),
        ("if (STAP_ARG_x == 2) return; STAP_RETVALUE = 5;", 0),
        ("STAP_RETVALUE = 1; STAP_RETURN(2); STAP_RETVALUE = 3;", 2),
        ("THIS->__retvalue = THIS->x + THIS->l_x;", 4),
        ("u8 c = 255; c++; STAP_RETVALUE = c;", 0),
        ("s8 c = 127; c += 1; STAP_RETVALUE = c;", -128),
        ("u32 *p = (u32 *)100; p += 2; p++; STAP_RETVALUE = (long)p;", 112),
        ("bool b = 4; STAP_RETVALUE = b;", 1),
        ("STAP_RETVALUE = 3; ; CATCH_DEREF_FAULT(); out: ;", 3),
        ("typedef unsigned short half; half h = 65537; STAP_RETVALUE = h;", 1),
        ("#define SQ(x) ((x) * (x))\n STAP_RETVALUE = SQ(STAP_ARG_x + 1);\n", 9),
        ("#define ONE 1\n#undef ONE\n#ifdef ONE\n STAP_RETVALUE = 1;\n#else\n STAP_RETVALUE = 2;\n#endif\n", 2),
        ("#if LINUX_VERSION_CODE < KERNEL_VERSION(3,0,0)\n this is not C\n#elif defined(CONFIG_SMP) && HZ\n"
         " STAP_RETVALUE = 7;\n#endif\n", 7),
        ("#if IS_ENABLED(CONFIG_IPV6)\n STAP_RETVALUE = 1;\n#endif\n", 1),
        ("#ifdef CONFIG_IPV6\n STAP_RETVALUE = 1;\n#else\n STAP_RETVALUE = 2;\n#endif\n", 2),
        ("/* a comment */ STAP_RETVALUE /* two */ = 4; // the rest\n", 4),
        ("STAP_ARG_x = 8; STAP_RETVALUE = STAP_ARG_x;", 8),
    ],
)  # fmt: skip
def test_statements(body: str, expected: int) -> None:
    text = f'function f:long(x) %{{ {body} %}}\nprobe begin {{ printf("%d", f(2)) }}'
    if "defined(CONFIG_SMP) && HZ" in body:
        text = text.replace("&& HZ", "&& 1")
    assert output(text) == str(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('strlcpy(STAP_RETVALUE, "abc", MAXSTRINGLEN);', "abc"),
        ('strlcpy(STAP_RETVALUE, "abcdef", 4);', "abc"),
        ("strlcpy(STAP_RETVALUE, STAP_ARG_s, MAXSTRINGLEN);", "text"),
        ("strlcpy(THIS->__retvalue, THIS->s, MAXSTRINGLEN);", "text"),
        ('STAP_RETURN("lit\\teral");', "lit\teral"),
        ('snprintf(STAP_RETVALUE, MAXSTRINGLEN, "%s-%d-%#x", STAP_ARG_s, -5, 255);', "text--5-0xff"),
        ('snprintf(STAP_RETVALUE, 6, "%s", "longer than that");', "longe"),
        ('snprintf(STAP_RETVALUE, MAXSTRINGLEN, "%u %d %lx %hhu %5d|%-4s|%04d %c%%", '
         '-1, 0xffffffff, -1L, 257, 3, "ab", 42, 65);',
         "4294967295 -1 ffffffffffffffff 1     3|ab  |0042 A%"),
        ('snprintf(STAP_RETVALUE, MAXSTRINGLEN, "%.*s|%*d", 2, "abcdef", 4, 7);', "ab|   7"),
        ('strlcpy(STAP_RETVALUE, "a", 9); strlcat(STAP_RETVALUE, "bc", MAXSTRINGLEN);', "abc"),
        ('strlcpy(STAP_RETVALUE, "a", 9); STAP_RETVALUE[0] = 0;', ""),
        ('strlcpy(STAP_RETVALUE, "a", 9); *STAP_RETVALUE = \'\\0\';', ""),
        ('char buf[8]; snprintf(buf, sizeof(buf), "%d", 123456789); strlcpy(STAP_RETVALUE, buf, MAXSTRINGLEN);', "1234567"),
        ('const char *p; if (STAP_ARG_x == 2) p = "two"; else p = "other"; strlcpy(STAP_RETVALUE, p, MAXSTRINGLEN);', "two"),
        ('const char *p = STAP_ARG_x ? "yes" : "no"; STAP_RETURN(p);', "yes"),
        ('if (strcmp(STAP_ARG_s, "text") == 0) strcpy(STAP_RETVALUE, "same");', "same"),
        ('strcpy(STAP_RETVALUE, name(2));', "second"),
    ],
)  # fmt: skip
def test_strings(body: str, expected: str) -> None:
    cases = 'switch (n) { case 1: return "first"; case 2: return "second"; } return "?";'
    head = f"%{{ static const char *name(int n) {{ {cases} }} %}}"
    text = (
        f'{head}\nfunction f:string(x:long, s:string) %{{ {body} %}}\nprobe begin {{ print(f(2, "text")) }}'
    )
    assert output(text) == expected


def test_functions_of_the_script() -> None:
    head = """
        #include <linux/kernel.h>
        #define LIMIT 4
        enum { FIRST = 3, SECOND, THIRD = FIRST * 10 };
        typedef unsigned int word;
        static inline word twice(word x) { return 2 * x; }
        static long sum(int n) { long s = 0; while (1) { if (n > LIMIT) return -1; if (!n) return s; s += n--; } }
        static void nothing(void) { }
    """
    assert value("twice(0x80000001)", head=head) == 2
    assert value("sum(4) * 100 + sum(5)", head=head) == 999
    assert value("FIRST + SECOND + THIRD", head=head) == 37
    assert value("(nothing(), twice(twice(a)))", 3, head=head) == 12


def test_result_type_follows_from_the_code() -> None:
    assert output('function f() %{ STAP_RETURN("a"); %} probe begin { print(f()) }') == "a"
    assert output("function f() %{ STAP_RETVALUE = 4; %} probe begin { print(f()) }") == "4"
    assert output("function f() %{ ; %} probe begin { f() print(1) }") == "1"


def test_expressions() -> None:
    text = 'probe begin { printf("%d %d %s", %{ AF_INET %}, %{ /* pure */ 6 * 7 %} + 1, %{ /* string */ "abc" %}) }'
    assert output(text) == "2 43 abc"
    assert output("%{ #define X 5\n%} probe begin { print(%{ X * X %}) }") == "25"
    assert output('probe begin { print(@const("AF_INET6") . "") }'.replace(' . ""', "")) == "10"


def test_handler_statements() -> None:
    assert (
        output(
            'global n = 1 probe begin { n = 2 %{ { int i; for (i = 0; i < 3; i++) STAP_PRINTF("%d,", i); } %} print(n) }'
        )
        == "0,1,2,2"
    )
    assert output("probe begin { print(1) %{ return; %} print(2) }") == "1"


def test_division_by_zero_is_the_scripts_error() -> None:
    for expression in ("1 / a", "1 % a", "1UL / (unsigned long)a", "1UL % (unsigned long)a", "1u / (u32)a"):
        text = (
            f"function f(a) %{{ long a = STAP_ARG_a; STAP_RETVALUE = {expression}; %}}\n"
            "probe begin { try { f(0) print(1) } catch (m) { print(m) } }"
        )
        assert "division by 0" in output(text), expression


def test_errors_of_the_runtime() -> None:
    assert (
        output(
            'function f() %{ STAP_ERROR("bad %d", 4); %} probe begin { try { f() } catch (m) { print(m) } }'
        )
        == "bad 4"
    )
    text = 'function f() %{ CONTEXT->last_error = "worse"; return; %} probe begin { try { f() } catch (m) { print(m) } }'
    assert output(text) == "worse"
