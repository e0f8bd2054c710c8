"""The German texts about mail, errors and security, see german.py."""

from __future__ import annotations

MAIL: dict[str, str] = {
    # queue.py
    "{now} messages wait, the oldest for {age}; at most {highest}": "{now} Nachrichten warten, die älteste seit "
    "{age}; höchstens {highest}",
    "{number} messages wait in the queue: see which destination "
    "they wait for, and who sent them.": "{number} Nachrichten warten in der Warteschlange: nachsehen, auf welches "
    "Ziel sie warten und wer sie gesendet hat.",
    "A message has been in the queue for {age}: see why, and "
    "delete it or mend the cause.": "Eine Nachricht liegt seit {age} in der Warteschlange: nachsehen, warum, und sie "
    "löschen oder die Ursache beheben.",
    "empty all the time": "die ganze Zeit leer",
    "Mail queue": "Mail-Warteschlange",
    "Messages in the queue": "Nachrichten in der Warteschlange",
    "Messages in the mail queue: at most {highest}, on average {mean}.": "Nachrichten in der Warteschlange: höchstens "
    "{highest}, im Mittel {mean}.",
    "empty now; at most {highest} messages": "jetzt leer; höchstens {highest} Nachrichten",
    "Queue": "Warteschlange",
    "Now": "Jetzt",
    "At most": "Höchstens",
    "messages": "Nachrichten",
    "Messages": "Nachrichten",
    "The queue was not read any more when the period ended.": "Am Ende des Zeitraums wurde die Warteschlange nicht "
    "mehr gelesen.",
    "Postfix has put aside {number} damaged message: see "
    "whether the disk is sound.": "Postfix hat {number} beschädigte Nachricht beiseitegelegt: nachsehen, ob die "
    "Platte in Ordnung ist.",
    "Postfix has put aside {number} damaged messages: "
    "see whether the disk is sound.": "Postfix hat {number} beschädigte Nachrichten beiseitegelegt: nachsehen, ob die "
    "Platte in Ordnung ist.",
    "{number} message is on hold and stays so until you release or delete it.": "{number} Nachricht ist angehalten "
    "und bleibt es, bis sie freigegeben oder gelöscht wird.",
    "{number} messages are on hold and stay so until you release or delete them.": "{number} Nachrichten sind "
    "angehalten und bleiben es, bis sie freigegeben oder gelöscht werden.",
    "on average": "im Mittel",
    "oldest at any time": "älteste überhaupt",
    "waiting now": "warten jetzt",
    "at most": "höchstens",
    "oldest now": "älteste jetzt",
    # mail.py
    "no such mailbox": "kein solches Postfach",
    "no such domain": "keine solche Domain",
    "the domain takes no mail": "die Domain nimmt keine Mail an",
    "mailbox switched off": "Postfach abgeschaltet",
    "mailbox full": "Postfach voll",
    "message too large for the mailbox": "Nachricht zu groß für das Postfach",
    "the server's disk is full": "die Platte des Servers ist voll",
    "the server takes no mail at the moment": "der Server nimmt zurzeit keine Mail an",
    "message too large": "Nachricht zu groß",
    "no answer from the server": "keine Antwort vom Server",
    "connection broken off": "Verbindung abgebrochen",
    "name server fails": "Nameserver gestört",
    "the domain cannot be found": "die Domain ist nicht zu finden",
    "mail goes in a circle": "Mail läuft im Kreis",
    "waited too long": "zu lange gewartet",
    "refused by policy": "durch eine Regel abgelehnt",
    "TLS or another protection fails": "TLS oder ein anderer Schutz versagt",
    "SPF does not pass": "SPF besteht nicht",
    "reverse DNS does not fit": "Reverse-DNS passt nicht",
    "authentication of the sender fails": "Absender lässt sich nicht nachweisen",
    "our reputation": "unser Ruf",
    "proof of the sender (SPF, DKIM, DMARC)": "Nachweis des Absenders (SPF, DKIM, DMARC)",
    "greylisting": "Greylisting",
    "the recipient": "der Empfänger",
    "the mailbox": "das Postfach",
    "the content": "der Inhalt",
    "other reasons": "andere Gründe",
    "{received} received, {sent} sent, {bounced} bounced, {rejected} rejected": "{received} empfangen, {sent} "
    "gesendet, {bounced} zurückgekommen, {rejected} abgewiesen",
    "Mail": "Mail",
    "another reason": "ein anderer Grund",
    "Mail by the hour": "Mail je Stunde",
    "Mail by the day": "Mail je Tag",
    "{title}: at most {sent} sent, {received} received, {rejected} rejected.": "{title}: höchstens {sent} gesendet, "
    "{received} empfangen, {rejected} abgewiesen.",
    "Counted since {moment}.": "Gezählt seit {moment}.",
    "sent": "gesendet",
    "received": "empfangen",
    "rejected": "abgewiesen",
    "received from other servers": "von anderen Servern empfangen",
    "received from users": "von Benutzern empfangen",
    "sent to other servers": "an andere Server gesendet",
    "delivered to mailboxes here": "in hiesige Postfächer zugestellt",
    "deferred (attempts)": "aufgeschoben (Versuche)",
    "bounced": "zurückgekommen",
    "given up after days": "nach Tagen aufgegeben",
    "rejected by Postfix": "von Postfix abgewiesen",
    "rejected by the spam filter": "vom Spamfilter abgewiesen",
    "Not delivered to others, why": "Nicht zugestellt an andere, warum",
    "Code": "Code",
    "Deferred": "Aufgeschoben",
    "Bounced": "Zurückgekommen",
    "Refused by others for": "Grund der Ablehnung durch andere",
    "{number} other code": "{number} weiterer Code",
    "{number} other codes": "{number} weitere Codes",
    # mail_advice.py
    "No mail came from other servers, the day before {number} messages: see whether port 25 can be reached from "
    "outside and whether the MX record is right.": "Von anderen Servern kam keine Mail, am Tag davor {number} "
    "Nachrichten: nachsehen, ob Port 25 von außen erreichbar ist und der MX-Eintrag stimmt.",
    "{ratio} of the attempts to deliver by {service} were put off: "
    "see what the answers have in common.": "{ratio} der Zustellversuche durch {service} wurden aufgeschoben: "
    "nachsehen, was die Antworten gemeinsam haben.",
    "{number} messages were sent, usually {usual}: see whether one account or program sends them, and "
    "whether it should.": "{number} Nachrichten wurden gesendet, sonst {usual}: nachsehen, ob ein Konto oder Programm "
    "sie sendet und ob es das soll.",
    "Other servers refused {number} deliveries for our reputation: see which provider it is, stop what looks "
    "like spam, then look at the provider's postmaster page "
    "and ask to be taken off its list.": "Andere Server haben {number} Zustellungen wegen unseres Rufs abgelehnt: "
    "nachsehen, welcher Anbieter es ist, abstellen, was nach Spam aussieht, dann auf der Postmaster-Seite des "
    "Anbieters nachsehen und um Streichung von seiner Liste bitten.",
    "Other servers refused {number} deliveries because they could not prove that the mail is ours: look at SPF, "
    "DKIM and DMARC of the senders' domains, and whether it was forwarded.": "Andere Server haben {number} "
    "Zustellungen abgelehnt, weil nicht nachzuweisen war, dass die Mail von uns ist: SPF, DKIM und DMARC der "
    "Absender-Domains ansehen, und ob sie weitergeleitet wurde.",
    "{ratio} of the deliveries by {service} bounced, mostly because the recipients do not exist: a stale "
    "list, or a stolen account that sends spam.": "{ratio} der Zustellungen durch {service} kamen zurück, meist weil "
    "es die Empfänger nicht gibt: eine veraltete Liste oder ein gestohlenes Konto, das Spam sendet.",
    "{ratio} of the deliveries by {service} bounced: see "
    "what the answers have in common.": "{ratio} der Zustellungen durch {service} kamen zurück: nachsehen, was die "
    "Antworten gemeinsam haben.",
    # roundtrips.py
    "from us to us": "von uns zu uns",
    "from us to the mailbox elsewhere": "von uns zum fremden Postfach",
    "from the mailbox elsewhere to us": "vom fremden Postfach zu uns",
    "{lost} of {sent} did not arrive": "{lost} von {sent} kamen nicht an",
    "all {sent} arrived": "alle {sent} kamen an",
    "Probe messages": "Probenachrichten",
    "the newest as junk": "die neueste als Spam",
    "Way": "Weg",
    "Sent": "Gesendet",
    "Arrived": "Angekommen",
    "Median": "Median",
    "Slowest": "Langsamste",
    "{lost} of {sent} probe messages {way} did not arrive: see "
    "in which stage they are lost.": "{lost} von {sent} Probenachrichten {way} kamen nicht an: nachsehen, in welchem "
    "Schritt sie verloren gehen.",
    "Who gets our mail says that {methods} fails, and takes such mail for junk: mend the DNS records or the "
    "signing.": "Wer unsere Mail bekommt, sagt, dass {methods} nicht besteht, und hält solche Mail für Spam: die "
    "DNS-Einträge oder das Signieren in Ordnung bringen.",
    "The probe message {way} arrives as junk: read in its headers "
    "why; other mail fares the same.": "Die Probenachricht {way} kommt als Spam an: in ihren Kopfzeilen lesen, warum; "
    "anderer Mail geht es ebenso.",
    "junk": "Spam",
    # errors.py
    "{number} error in the logs": "{number} Fehler in den Logs",
    "{number} errors in the logs": "{number} Fehler in den Logs",
    "logins cannot be checked": "Anmeldungen sind nicht zu prüfen",
    "a mailbox or the disk is full": "ein Postfach oder die Platte ist voll",
    "an index is damaged": "ein Index ist beschädigt",
    "access to mailboxes is denied": "Zugriff auf Postfächer verweigert",
    "TLS": "TLS",
    "out of memory": "Speicher reicht nicht",
    "something else": "etwas anderes",
    "no log of a mail program is watched": "kein Log eines Mailprogramms wird beobachtet",
    "Errors by service": "Fehler nach Dienst",
    "Dovecot: {about}": "Dovecot: {about}",
    "not measured: {names}": "nicht gemessen: {names}",
    "lines of logs that could not be read": "nicht lesbare Logzeilen",
    "starts of netfilter": "Starts von netfilter",
    "the log {name}": "das Log {name}",
    "cannot be read": "nicht lesbar",
    "{name} has written nothing": "{name} hat nichts geschrieben",
    "Not measured any more: {names}. The check says why.": "Nicht mehr gemessen: {names}. Die Prüfung sagt, warum.",
    "These logs cannot be read: {names}. The check says why.": "Diese Logs sind nicht zu lesen: {names}. Die Prüfung "
    "sagt, warum.",
    "Nothing is written any more by {names}: see whether "
    "it runs, and where it writes.": "Nichts mehr geschrieben von {names}: nachsehen, ob es läuft und wohin es "
    "schreibt.",
    "Postfix gave up {number} time with a fatal error: see "
    "which of its programs and why.": "Postfix gab {number} Mal mit einem schweren Fehler auf: nachsehen, welches "
    "seiner Programme und warum.",
    "Postfix gave up {number} times with a fatal error: see "
    "which of its programs and why.": "Postfix gab {number} Mal mit einem schweren Fehler auf: nachsehen, welches "
    "seiner Programme und warum.",
    "mailcow's netfilter was started {number} times and "
    "forgot all bans each time: see why.": "mailcows netfilter wurde {number} Mal gestartet und vergaß jedes Mal alle "
    "Sperren: nachsehen, warum.",
    "{program}: errors": "{program}: Fehler",
    "{program}: warnings": "{program}: Warnungen",
    "Errors": "Fehler",
    "Not measured": "Nicht gemessen",
    "Since or for": "Seit oder wie lange",
    "Dovecot had {number} errors: {about}.": "Dovecot hatte {number} Fehler: {about}.",
    "collector {name}": "Collector {name}",
    # security.py
    "webmail": "Webmail",
    "others": "andere",
    "only the logs of the networks are known": "nur die Netze aus den Logs sind bekannt",
    "Security": "Sicherheit",
    "at least {number}": "mindestens {number}",
    "Not read: {problem}": "Nicht gelesen: {problem}",
    "{number} refused login by SSH": "{number} abgelehnte Anmeldung per SSH",
    "{number} refused logins by SSH": "{number} abgelehnte Anmeldungen per SSH",
    "{number} to mailboxes": "{number} an Postfächern",
    "{number} ban": "{number} Sperre",
    "{number} bans": "{number} Sperren",
    "a password for SSH may have been guessed": "ein Passwort für SSH wurde vielleicht erraten",
    "SSH: refused": "SSH: abgelehnt",
    "SSH: unknown users": "SSH: unbekannte Benutzer",
    "SSH: logins by key": "SSH: Anmeldungen mit Schlüssel",
    "SSH: logins by other means": "SSH: Anmeldungen auf andere Weise",
    "SSH: logins after many failures": "SSH: Anmeldungen nach vielen Fehlern",
    "IMAP and POP3: refused": "IMAP und POP3: abgelehnt",
    "SMTP: refused": "SMTP: abgelehnt",
    "SOGo: refused": "SOGo: abgelehnt",
    "mailcow's web interface: refused": "mailcows Weboberfläche: abgelehnt",
    "bans by netfilter": "Sperren durch netfilter",
    "Banned now, for which time": "Jetzt gesperrt, zum wievielten Mal",
    "Network": "Netz",
    "Failures": "Fehlversuche",
    "At": "Bei",
    "Addresses": "Adressen",
    "Banned now": "Jetzt gesperrt",
    "The worst networks": "Die schlimmsten Netze",
    "{number} others": "{number} weitere",
    "ban no. {level}": "Sperre Nr. {level}",
    "Logins": "Anmeldungen",
    "Jail": "Jail",
    "Bans in 24 h": "Sperren in 24 h",
    "Repeat offenders": "Wiederholungstäter",
    "{jail} (gone)": "{jail} (weg)",
    # security_advice.py
    "{network} failed to log in {number} times and is not banned: the jail for it is missing, or does not see "
    "these logins.": "{network} scheiterte {number} Mal an der Anmeldung und ist nicht gesperrt: das Jail dafür fehlt "
    "oder sieht diese Anmeldungen nicht.",
    "Somebody logged in by SSH with a password after many wrong ones: see whether it was its owner; if not, the "
    "host is no longer yours.": "Jemand hat sich nach vielen falschen Passwörtern per SSH angemeldet: nachsehen, ob "
    "es der Besitzer war; wenn nicht, ist der Rechner nicht mehr deiner.",
    "{number} logins to mailboxes were refused, usually {usual}: see whether one mailbox is tried, and whether "
    "its password is a good one.": "{number} Anmeldungen an Postfächern wurden abgelehnt, sonst {usual}: nachsehen, "
    "ob ein Postfach probiert wird und ob sein Passwort gut ist.",
    "fail2ban does not answer, so nobody is banned: see why.": "fail2ban antwortet nicht, also wird niemand gesperrt: "
    "nachsehen, warum.",
    "fail2ban has lost the jail {names}: what it protected is open to guessing.": "fail2ban hat das Jail {names} "
    "verloren: was es schützte, steht dem Raten offen.",
    "{number} passwords were tried by SSH, and nobody logs in by "
    "password: switch passwords off.": "{number} Passwörter wurden per SSH probiert, und niemand meldet sich mit "
    "Passwort an: Passwörter abschalten.",
    "{number} logins were refused and nothing bans who tries: install fail2ban.": "{number} Anmeldungen wurden "
    "abgelehnt, und nichts sperrt, wer probiert: fail2ban installieren.",
}
