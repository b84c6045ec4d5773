"""A small good sample of every log format; each holds Ada's visit to ChatGPT on 2026-01-05."""

import json
from typing import Any

ZSCALER = (
    '"Mon Jan  5 15:29:11 2026","ada@x.example","HTTPS","chatgpt.com/backend-api/conversation","Allowed",'
    '"ChatGPT",'
    '"AI & ML","7200","14061","0","0","Business Use","AI","Generative AI","None","None","0","None",'
    '"None","HQ",'
    '"Sales","172.17.3.49","66.211.175.229","POST","200","curl/7.68.0"\n'
    '"Mon Jan  5 15:30:11 2026","ben@x.example","HTTPS","claude.ai/","Blocked","Claude","AI & ML",'
    '"72","0","0","0"\n'
)
ZSCALER_EVENT: dict[str, Any] = {
    "datetime": "2026-01-05 15:29:11", "reason": "Allowed", "event_id": "1", "protocol": "HTTPS",
    "action": "Allowed", "transactionsize": "21261", "responsesize": "14061", "requestsize": "7200",
    "urlcategory": "Generative AI", "serverip": "1.2.3.4", "requestmethod": "POST", "user": "ada@x.example",
    "url": "chatgpt.com/backend-api/conversation", "hostname": "chatgpt.com", "department": "Sales",
}  # fmt: skip
NETSKOPE: dict[str, Any] = {
    "timestamp": 1767627551, "type": "page", "user": "ada@x.example", "ur_normalized": "ada@x.example",
    "userkey": "ada@x.example", "traffic_type": "CloudApp", "url": "chatgpt.com/c/1", "domain": "chatgpt.com",
    "app": "ChatGPT", "site": "ChatGPT", "hostname": "ADAS-MAC", "client_bytes": 7200, "server_bytes": 14061,
    "access_method": "Client", "action": "allow",
}  # fmt: skip
UMBRELLA_DNS = (
    '"2026-01-05 15:29:11","Lovelace, Ada (ada@x.example)","Lovelace, Ada (ada@x.example),ADSite,Network",'
    '"10.10.1.100","24.123.132.133","Allowed","1 (A)","NOERROR","chatgpt.com.","Generative AI","AD Users",'
    '"AD Users,Sites,Networks",""\n'
    '"2026-01-05 15:30:11","HQ Network", "HQ Network", "10.10.1.101","24.123.132.133","Blocked","28 (AAAA)",'
    '"NOERROR","claude.ai.", "Chat,Generative AI","Networks","Networks","Generative AI"\n'
)
UMBRELLA_WEB = (
    '"2026-01-05 15:29:11","ADAS-MAC","192.192.192.135","1.1.1.91", "3.4.5.6","","ALLOWED",'
    '"https://chatgpt.com/c/1","","Mozilla/5.0 (Macintosh; x, y)","200","7200","14061","","",'
    '"Generative AI","","",'
    '"","","","Roaming Computers","","ADAS-MAC, Ada (ada@x.example)","Roaming Computers, AD Users","POST"\n'
)
SQUID = (
    "1767626951.123    238 10.0.0.1 TCP_TUNNEL/200 14061 CONNECT chatgpt.com:443 ada%40x.example "
    "HIER_DIRECT/104.18.32.47 -\n"
    "1767626952.123      1 10.0.0.2 TCP_DENIED/403 3870 CONNECT claude.ai:443 - HIER_NONE/- text/html\n"
)
SQUID_COMBINED = (
    '10.0.0.1 - ada@x.example [05/Jan/2026:15:29:11 +0000] "CONNECT chatgpt.com:443 HTTP/1.1" 200 14061 "-" '
    '"Mozilla/5.0 (Windows NT 10.0)" TCP_TUNNEL:HIER_DIRECT\n'
)
CLOUDFLARE_HTTP = {
    "Datetime": "2026-01-05T15:29:11Z", "Email": "ada@x.example", "HTTPHost": "chatgpt.com",
    "URL": "https://chatgpt.com/c/1", "HTTPMethod": "POST", "Action": "allow", "UploadedFileNames": [],
}  # fmt: skip
CLOUDFLARE_DNS = {
    "Datetime": 1767626951000000000, "Email": "ada@x.example", "QueryName": "chatgpt.com",
    "ResolverDecision": "allowedOnNoPolicyMatch", "ResourceRecords": [{"type": "5", "data": "x"}],
}  # fmt: skip
PLAIN = "time,user,host,bytes_out,bytes_in\n2026-01-05T15:29:11Z,ada@x.example,chatgpt.com,7200,14061\n"


def _lines(*records: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


LOGS: dict[str, tuple[str, str, tuple[int | None, int | None]]] = {
    # name: (format, text, (bytes out, bytes in) of Ada's visit).
    "zscaler csv": ("zscaler-web", ZSCALER, (7200, 14061)),
    "zscaler tabs": ("zscaler-web", ZSCALER.replace('","', "\t").replace('"', ""), (7200, 14061)),
    "zscaler header": (
        "zscaler-web-csv",
        "time,login,eurl,action,reqsize,respsize\n"
        "Mon Jan  5 15:29:11 2026,ada@x.example,chatgpt.com/c/1,Allowed,7200,14061\n",
        (7200, 14061),
    ),
    "zscaler json": (
        "zscaler-web-json",
        _lines({"sourcetype": "zscalernss-web", "event": ZSCALER_EVENT}),
        (7200, 14061),
    ),
    "netskope answer": ("netskope-json", json.dumps({"ok": 1, "result": [NETSKOPE]}), (7200, 14061)),
    "netskope lines": ("netskope-json", _lines(NETSKOPE), (7200, 14061)),
    "netskope csv": (
        "netskope-csv",
        "Timestamp,User,URL,Domain,Application,Client Bytes,Server Bytes\n"
        "1767627551,ada@x.example,chatgpt.com/c/1,chatgpt.com,ChatGPT,7200,14061\n",
        (7200, 14061),
    ),
    "umbrella dns": ("umbrella-dns", UMBRELLA_DNS, (None, None)),
    "umbrella dns v1": (
        "umbrella-dns",
        '"2026-01-05 15:29:11","ada@x.example", "ada@x.example,ADSite", "10.10.1.100","24.1.1.1","Allowed",'
        '"1 (A)", "NOERROR","chatgpt.com.", "Chat,Photo Sharing"\n',
        (None, None),
    ),
    "umbrella dns header": (
        "umbrella-dns",
        '"Timestamp","Most Granular Identity","Identities","Internal IP"\n' + UMBRELLA_DNS,
        (None, None),
    ),
    "umbrella web": ("umbrella-web", UMBRELLA_WEB, (7200, 14061)),
    "squid": ("squid-native", SQUID, (None, 14061)),
    "squid combined": ("squid-combined", SQUID_COMBINED, (None, 14061)),
    "cloudflare http": ("cloudflare-gateway-http", _lines(CLOUDFLARE_HTTP), (None, None)),
    "cloudflare dns": ("cloudflare-gateway-dns", _lines(CLOUDFLARE_DNS), (None, None)),
    "plain": ("log-csv", PLAIN, (7200, 14061)),
}
